set -e
perl main.pl
