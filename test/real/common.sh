# Shared by the fetch scripts: where things go, and an apt that knows
# source packages without a change to the system's configuration.
# shellcheck shell=sh

say() { printf '%s\n' "fetch: $*"; }
die() { printf '%s\n' "fetch: $*" >&2; exit 1; }

# done_file NAME: the stamp that says a step is complete.  Steps build beside
# their place and rename at the end, so an interrupted run is simply repeated.
stamp() { printf '%s' "$CACHE/stamps/$1"; }
is_done() { [ -e "$(stamp "$1")" ]; }
mark_done() { mkdir -p "$CACHE/stamps" && : >"$(stamp "$1")"; }

# sources_of prints the machine's apt sources as one-line entries
# "suite uri components", read from both formats.
sources_of() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/\[[^]]*\]//; s/^deb[[:space:]][[:space:]]*\([^[:space:]]*\)[[:space:]][[:space:]]*\([^[:space:]]*\)[[:space:]]*/\2 \1 /p'
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		awk '
			function flush_(n, m, u, s, i, j) {
				if (uris != "") {
					n = split(uris, u, " "); m = split(suites, s, " ")
					for (i = 1; i <= n; i++) for (j = 1; j <= m; j++)
						print s[j], u[i], comps
				}
				uris = suites = comps = ""
			}
			/^[[:space:]]*$/ { flush_() }
			/^URIs:/ { sub(/^URIs:[ \t]*/, ""); uris = $0 }
			/^Suites:/ { sub(/^Suites:[ \t]*/, ""); suites = $0 }
			/^Components:/ { sub(/^Components:[ \t]*/, ""); comps = $0 }
			END { flush_() }' "$f"
	done
}

# apt_setup makes a private apt root in the cache: the system's sources with
# "deb" and "deb-src", the system's keys, lists of its own.
apt_setup() {
	APT="$CACHE/apt"
	mkdir -p "$APT/etc/parts" "$APT/lists/partial" "$APT/cache/archives/partial"
	sources_of | grep -E "^$SUITE([ -]|$)" | sort -u | while read -r suite uri comps; do
		printf 'deb %s %s %s\n' "$uri" "$suite" "$comps"
		printf 'deb-src %s %s %s\n' "$uri" "$suite" "$comps"
	done >"$APT/etc/sources.list"
	[ -s "$APT/etc/sources.list" ] ||
		die "no apt source for $SUITE on this machine
  hint: add one to /etc/apt/sources.list.d"
	if ! is_done apt-lists; then
		say "reading package lists of $SUITE (with sources)"
		priv_apt apt-get -q update >"$CACHE/apt-update.log" 2>&1 ||
			die "apt-get update failed, see $CACHE/apt-update.log"
		mark_done apt-lists
	fi
}

# priv_apt runs an apt tool on the private lists.
priv_apt() {
	tool=$1
	shift
	"$tool" -o Dir::Etc::sourcelist="$APT/etc/sources.list" \
		-o Dir::Etc::sourceparts="$APT/etc/parts" \
		-o Dir::State::lists="$APT/lists" \
		-o Dir::Cache="$APT/cache" \
		-o APT::Sandbox::User= \
		-o Acquire::Languages=none \
		-o APT::Get::List-Cleanup=0 "$@"
}

# mirror prints the first URI that serves the plain suite.
mirror() { sources_of | awk -v s="$SUITE" '$1 == s { print $2; exit }'; }
