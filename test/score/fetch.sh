#!/bin/sh
# fetch.sh CACHE PACKAGE FILE: of a source package, from the Debian registry that
# this machine's apt is set up for, the upstream tarball FILE as CACHE/dsc/FILE, or, if
# FILE is a .dsc, all that it lists, in CACHE/dsc/FILE.d.
set -eu
umask 022
export LC_ALL=C

CACHE=$1
SUITE=${DETTRACE_SUITE:-bookworm}
mkdir -p "$CACHE/dsc"

# shellcheck source=../real/common.sh
. "$(dirname "$0")/../real/common.sh"

case $3 in
*.dsc) to=$CACHE/dsc/$3.d only= ;;
*) to=$CACHE/dsc/$3 only=--tar-only ;;
esac
[ ! -e "$to" ] || exit 0
apt_setup
new=$CACHE/dsc/$2--score
rm -rf "$new"
mkdir "$new"
# shellcheck disable=SC2086 # no flag is none
(cd "$new" && priv_apt apt-get -q --download-only $only source "$2" >fetch.log 2>&1) ||
	die "source package $2: see $new/fetch.log"
[ -e "$new/$3" ] || die "the registry has another version of $2 than $3: see $new"
if [ -n "$only" ]; then
	mv "$new/$3" "$to"
	rm -r "$new"
else
	rm "$new/fetch.log"
	mv "$new" "$to"
fi
