set -e
ocamlopt -I +unix -I +threads unix.cmxa threads.cmxa main.ml -o main
./main
ocamlc -I +unix -I +threads unix.cma threads.cma main.ml -o main.byte
./main.byte
sha256sum main main.byte
