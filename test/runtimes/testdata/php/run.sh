# The built-in server with its clients, too.
set -e
php main.php
echo '<?php echo "served ", $_SERVER["REQUEST_URI"], " at ", $_SERVER["REQUEST_TIME_FLOAT"];' >index.php
php -S 127.0.0.1:8000 index.php 2>server.log &
server=$!
curl -s --retry 5 --retry-connrefused http://127.0.0.1:8000/a
curl -s http://127.0.0.1:8000/b
kill $server
wait $server || true
cat server.log
