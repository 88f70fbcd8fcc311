#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: exported_symbols.sh LIBRARY HEADER...
# The shared library shows every function of the public headers and not one symbol more.
set -eu
library=$1
shift
shown=$(nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' | sort)
declared=$(sed -n 's/^SPYHOP_API.*[ *]\(spyhop_[a-z_0-9]*\)(.*/\1/p' "$@" | sort)
if [ -z "$declared" ] || [ "$shown" != "$declared" ]; then
    printf 'shown by %s:\n%s\ndeclared in %s:\n%s\n' "$library" "$shown" "$*" "$declared" >&2
    exit 1
fi
