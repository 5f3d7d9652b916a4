#!/bin/sh
# fetch-image.sh [CACHE] makes CACHE/image/debian, a minimal Debian with what
# the real-software tests need to build packages, and CACHE/image/debian.tar
# of it.  Run by fetch.sh as root.
set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

CACHE=${1:-${DETTRACE_CACHE:-${HOME:?}/.cache/dettrace}}
SUITE=${DETTRACE_SUITE:-bookworm}
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$HERE/common.sh"

ROOT=$CACHE/image/debian
PACKAGES="build-essential debhelper fakeroot dpkg-dev git python3-dev python3-setuptools dh-python python3-all-dev tcl help2man texinfo"

[ "$(id -u)" = 0 ] || die "the image needs root (file owners, chroot)"

if ! command -v debootstrap >/dev/null; then
	say "installing debootstrap"
	apt-get -q install -y debootstrap >"$CACHE/debootstrap-install.log" 2>&1 ||
		die "cannot install debootstrap, see $CACHE/debootstrap-install.log"
fi

if ! is_done image-base; then
	say "debootstrap $SUITE -> image/debian"
	rm -rf "$ROOT"
	mkdir -p "$ROOT"
	debootstrap --variant=minbase "$SUITE" "$ROOT" "$(mirror)" >"$CACHE/debootstrap.log" 2>&1 ||
		die "debootstrap failed, see $CACHE/debootstrap.log"
	mark_done image-base
fi

if ! is_done image-build; then
	say "build dependencies in the image"
	apt_setup
	cp "$ROOT/etc/apt/sources.list" "$CACHE/image/sources.list.orig"
	cp "$APT/etc/sources.list" "$ROOT/etc/apt/sources.list"
	[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
	# No service may start in the image.
	printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
	chmod 755 "$ROOT/usr/sbin/policy-rc.d"
	{
		chroot "$ROOT" apt-get -q update
		# shellcheck disable=SC2086
		chroot "$ROOT" apt-get -q -y --no-install-recommends install $PACKAGES
		chroot "$ROOT" apt-get -q -y --no-install-recommends build-dep \
			hello moreutils patch
		chroot "$ROOT" apt-get clean
	} >"$CACHE/image-build.log" 2>&1 ||
		die "packages of the image: see $CACHE/image-build.log"
	mv "$CACHE/image/sources.list.orig" "$ROOT/etc/apt/sources.list"
	rm -rf "$ROOT/usr/sbin/policy-rc.d" "$ROOT/etc/resolv.conf" "$ROOT"/var/lib/apt/lists/*
	mark_done image-build
fi

if ! is_done image-tar; then
	say "tar of the image -> image/debian.tar"
	tar -C "$ROOT" --sort=name --numeric-owner --xattrs --exclude=./dev/* \
		-cf "$CACHE/image/debian.tar.new" .
	mv "$CACHE/image/debian.tar.new" "$CACHE/image/debian.tar"
	mark_done image-tar
fi
