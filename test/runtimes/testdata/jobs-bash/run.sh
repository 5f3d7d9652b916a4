bash jobs.sh 2>&1
script -q -e -c "bash -i jobs.sh" /dev/null </dev/null
