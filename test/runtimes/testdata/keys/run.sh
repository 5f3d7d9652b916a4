# Keys, certificates and a TLS connection: all from the run's seed.
set -e
for t in ed25519 ecdsa rsa; do
	ssh-keygen -q -t $t -N '' -C me -f key-$t
	ssh-keygen -l -v -f key-$t
done
echo data >data
ssh-keygen -q -Y sign -n file -f key-ed25519 data
echo "me $(cat key-ed25519.pub)" >allowed
ssh-keygen -Y verify -f allowed -I me -n file -s data.sig <data
openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.crt -subj /CN=localhost -days 10 2>/dev/null
openssl x509 -in tls.crt -noout -serial -dates -fingerprint
openssl s_server -quiet -accept 127.0.0.1:4433 -cert tls.crt -key tls.key -www -naccept 1 2>server.log &
server=$!
sleep 1
(echo 'GET / HTTP/1.0'; echo; sleep 1) | openssl s_client -quiet -connect 127.0.0.1:4433 -CAfile tls.crt 2>client.log >page
wait $server
grep -c Session page
openssl rand -hex 16
sha256sum key-* data.sig tls.* page
