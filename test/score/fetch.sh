#!/bin/sh
# fetch.sh CACHE PACKAGE TARBALL: the upstream tarball of a source package, from
# the Debian registry that this machine's apt is set up for, as CACHE/dsc/TARBALL.
set -eu
umask 022
export LC_ALL=C

CACHE=$1
SUITE=${DETTRACE_SUITE:-bookworm}
mkdir -p "$CACHE/dsc"

# shellcheck source=../real/common.sh
. "$(dirname "$0")/../real/common.sh"

[ ! -e "$CACHE/dsc/$3" ] || exit 0
apt_setup
new=$CACHE/dsc/$2--score
rm -rf "$new"
mkdir "$new"
(cd "$new" && priv_apt apt-get -q --download-only --tar-only source "$2" >fetch.log 2>&1) ||
	die "source package $2: see $new/fetch.log"
[ -e "$new/$3" ] || die "the registry has another version of $2 than $3: see $new"
mv "$new/$3" "$CACHE/dsc/$3"
rm -r "$new"
