set -e
/usr/bin/python3 main.py
