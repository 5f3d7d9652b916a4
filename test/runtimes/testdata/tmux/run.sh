# A terminal multiplexer: server, session, two panes and a screen that is read.
set -e
export LC_ALL=C.UTF-8 TMUX_TMPDIR=$PWD
tmux -f /dev/null new-session -d -s s -x 80 -y 24 'sh -c "echo first pane; tty; echo ready >one; read x; echo got \$x >two; sleep 1000"'
tmux split-window -t s 'sh -c "echo second pane; stty size; echo ready >three; sleep 1000"'
until [ -e one ] && [ -e three ]; do sleep 0.05; done
tmux send-keys -t s:0.0 hello Enter
until [ -s two ]; do sleep 0.05; done
sleep 1
cat two
tmux capture-pane -p -t s:0.0
tmux capture-pane -p -t s:0.1
tmux list-panes -t s -F '#{pane_id} #{pane_pid} #{pane_tty} #{pane_width}x#{pane_height}'
tmux kill-server
