luajit main.lua
luajit -joff main.lua | cksum
