#!/bin/sh
# Starts the link of this folder and stays. $OUTRIGGER is another program than the one that is installed here or on PATH.
cd -- "$(dirname -- "$0")" || exit 1
program=${OUTRIGGER:-./node_modules/.bin/outrigger}
if [ ! -x "$program" ]; then program=outrigger; fi
exec "$program" link config.json "$@"
