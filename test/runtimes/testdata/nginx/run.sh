# Workers, keep-alive, concurrent clients and a reload.
set -e
mkdir -p www logs tmp
for i in 1 2 3; do echo "page $i" >www/$i.html; done
head -c 3000000 /dev/urandom >www/large
cat >nginx.conf <<EOF
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/logs/error.log info;
events { worker_connections 64; }
http {
	access_log $PWD/logs/access.log;
	client_body_temp_path $PWD/tmp/b; proxy_temp_path $PWD/tmp/p;
	fastcgi_temp_path $PWD/tmp/f; uwsgi_temp_path $PWD/tmp/u; scgi_temp_path $PWD/tmp/s;
	server {
		listen 127.0.0.1:8080;
		root $PWD/www;
		location /again/ { proxy_pass http://127.0.0.1:8080/; }
	}
}
EOF
/usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" -e "$PWD/logs/error.log"
u=http://127.0.0.1:8080
curl -si $u/1.html
curl -s $u/2.html $u/3.html $u/again/1.html
curl -s --parallel --parallel-max 8 -o 'out#1' "$u/large?[1-12]"
sha256sum out* | cut -d' ' -f1 | sort -u | wc -l
curl -s -o /dev/null -w '%{http_code}\n' $u/none
/usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" -e "$PWD/logs/error.log" -s reload
curl -s $u/1.html
/usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" -e "$PWD/logs/error.log" -s quit
while [ -e nginx.pid ]; do sleep 0.01; done
cat logs/access.log logs/error.log
