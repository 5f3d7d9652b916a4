#!/bin/sh
# fetch.sh [CACHE] makes the sources and images that the real-software tests
# build: upstream tarballs and source packages from the Debian registry that
# this machine's apt is set up for, a generated C project, a git repository
# with fixed hashes, and (as root) a debootstrap image with the build
# dependencies.  It can be run again at any time: finished steps are skipped.
set -eu
umask 022
export LC_ALL=C

CACHE=${1:-${DETTRACE_CACHE:-${HOME:?}/.cache/dettrace}}
SUITE=${DETTRACE_SUITE:-bookworm}
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)

# shellcheck source=common.sh
. "$HERE/common.sh"

# source_package NAME [--tar-only]: download the source package, or its
# upstream tarball only, into CACHE/dsc/NAME.
source_package() {
	dir=$1${2:-}
	is_done "dsc-$dir" && return
	say "source package $1${2:+ ($2)}"
	rm -rf "$CACHE/dsc/$dir"
	mkdir -p "$CACHE/dsc/$dir"
	(cd "$CACHE/dsc/$dir" && priv_apt apt-get -q --download-only ${2:-} source "$1" >fetch.log 2>&1) ||
		die "source package $1: see $CACHE/dsc/$dir/fetch.log"
	rm "$CACHE/dsc/$dir/fetch.log"
	mark_done "dsc-$dir"
}

# upstream NAME DIR: unpack the upstream tarball of a source package, without
# Debian's patches, as CACHE/src/DIR.
upstream() {
	is_done "src-$2" && return
	source_package "$1" --tar-only
	say "upstream tree of $1 -> src/$2"
	rm -rf "$CACHE/src/$2" "$CACHE/src/$2.new"
	mkdir -p "$CACHE/src/$2.new"
	for t in "$CACHE/dsc/$1--tar-only"/*.orig.tar.*; do
		case $t in *.asc) continue ;; esac
		tar -xf "$t" -C "$CACHE/src/$2.new" --strip-components=1 --no-same-owner
	done
	mv "$CACHE/src/$2.new" "$CACHE/src/$2"
	mark_done "src-$2"
}

# debian NAME: unpack a source package with Debian's changes as
# CACHE/deb/NAME/src, its tarballs beside it (dpkg-buildpackage writes there).
debian() {
	is_done "deb-$1" && return
	source_package "$1"
	say "source tree of package $1 -> deb/$1/src"
	rm -rf "$CACHE/deb/$1"
	mkdir -p "$CACHE/deb/$1"
	(cd "$CACHE/deb/$1" && dpkg-source --no-check -x "$CACHE/dsc/$1"/*.dsc src >/dev/null 2>&1) ||
		die "dpkg-source: $1 does not unpack"
	mark_done "deb-$1"
}

apt_setup
upstream lua5.4 lua
upstream zlib zlib
upstream hello hello
upstream sqlite3 sqlite
upstream markupsafe markupsafe
for p in hello moreutils patch; do
	debian "$p"
done

# A Python package's Debian files are ours: mirrors exist that keep the
# upstream tarballs of the Python team but not their packaging.
if ! is_done deb-markupsafe; then
	say "source tree of package markupsafe -> deb/markupsafe/src"
	rm -rf "$CACHE/deb/markupsafe"
	mkdir -p "$CACHE/deb/markupsafe"
	cp -R "$CACHE/src/markupsafe" "$CACHE/deb/markupsafe/src"
	cp -R "$HERE/debian-markupsafe" "$CACHE/deb/markupsafe/src/debian"
	mark_done deb-markupsafe
fi

if ! is_done gen-project; then
	say "generated project of 200 C files -> src/project"
	rm -rf "$CACHE/src/project"
	"$HERE/gen-project.sh" "$CACHE/src/project" 200
	mark_done gen-project
fi
if ! is_done gen-git; then
	say "git repository with fixed hashes -> src/gitrepo"
	rm -rf "$CACHE/src/gitrepo"
	"$HERE/gen-git.sh" "$CACHE/src/gitrepo"
	mark_done gen-git
fi

if [ "$(id -u)" = 0 ]; then
	"$HERE/fetch-image.sh" "$CACHE"
else
	say "skipped the debootstrap image: it needs root (file owners, chroot)"
fi
say "complete: $CACHE"
