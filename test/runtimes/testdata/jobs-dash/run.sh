script -q -e -c "dash jobs.sh" /dev/null </dev/null
