# nginx with two workers, as a server of files and as a proxy of itself.
mkdir -p /tmp/ng/logs /tmp/ng/www /tmp/ng/t; cd /tmp/ng; seq 300000 > www/big.txt; echo hi > www/index.html
cat > nginx.conf <<'X'
user root; worker_processes 2; daemon on; pid /tmp/ng/pid; error_log /tmp/ng/err.log notice;
events { worker_connections 100; }
http { access_log /tmp/ng/acc.log; sendfile on; 
 client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
 server { listen 8080; listen [::]:8080; root /tmp/ng/www; location /p/ { proxy_pass http://127.0.0.1:8081/; } }
 server { listen 127.0.0.1:8081; root /tmp/ng/www; } }
X
nginx -p /tmp/ng -c /tmp/ng/nginx.conf 
curl -sS http://127.0.0.1:8080/big.txt | md5sum
curl -sS http://localhost:8080/p/big.txt | md5sum
curl -sS -D - "http://[::1]:8080/index.html"
for i in 1 2 3 4 5 6 7 8; do curl -sS http://127.0.0.1:8080/p/big.txt -o /tmp/ng/o$i & done; wait; md5sum /tmp/ng/o*
curl -sS http://127.0.0.1:9/ 2>&1
curl -sS http://192.0.2.1/ 2>&1
echo ends; kill -QUIT $(cat pid); while [ -e pid ]; do sleep 0.1; done
cat acc.log err.log
