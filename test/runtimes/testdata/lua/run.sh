lua5.4 main.lua
