set -e
export PATH=$GOROOT/bin:$PATH GOTOOLCHAIN=local GOCACHE=/gocache GOFLAGS="-mod=mod -trimpath" CGO_ENABLED=1
cat >go.mod <<'EOF'
module example.org/race

go 1.24
EOF
if go test -race -v . >log 2>&1; then
	echo "the race was not found"
	exit 1
fi
cat log
grep -q 'PASS: TestLocked' log
grep -q 'WARNING: DATA RACE' log
