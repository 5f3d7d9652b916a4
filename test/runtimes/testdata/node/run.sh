set -e
node main.js
