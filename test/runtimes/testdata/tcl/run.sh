set -e
tclsh main.tcl
