zsh -f jobs.sh 2>&1
script -q -e -c "zsh -f -i jobs.sh" /dev/null </dev/null
