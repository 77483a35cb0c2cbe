// For tests: a program that behaves as Odoo does when a module is updated: it reads the module from the folder, logs to stderr, takes its time,
// and ends with Odoo's exit codes. What the module's __manifest__.py says decides.
import fs from 'node:fs';
import path from 'node:path';

const script = `#!/bin/sh
# odoo -c CONFIG -u|-i MODULE --stop-after-init
[ "$1" = "-c" ] || { echo "odoo: error: no config" >&2; exit 2; }
config=$2 what=$3 module=$4
addons=$(sed -n 's/^addons_path *= *//p' "$config")
[ -n "$addons" ] || addons=.
say() { echo "2026-11-20 12:00:00,000 $$ $1 odoo odoo.modules.loading: $2" >&2; }
say INFO "config $config, $what $module $5"
manifest="$addons/$module/__manifest__.py"
if ! [ -e "$manifest" ]; then say CRITICAL "invalid module names, ignored: $module"; exit 255; fi
if grep -q slow "$manifest"; then say INFO "waiting"; sleep 30; fi
if grep -q stubborn "$manifest"; then trap '' TERM; say INFO "not listening"; sleep 30; sleep 30; fi
if grep -q broken "$manifest"; then say ERROR "Failed to load registry"; echo "Traceback (most recent call last): ParseError: grüße"; exit 1; fi
say INFO "Modules loaded."
echo "$what $module" >> "\${ODOO_DONE:-/dev/null}"
exit 0
`;

/** Writes the program and a config whose addons are in a folder; gives what the options take. */
export function standInOdoo(folder: string, addons: string): { command: string; config: string } {
  const command = path.join(folder, 'odoo');
  const config = path.join(folder, 'odoo.conf');
  fs.writeFileSync(command, script, { mode: 0o755 });
  fs.writeFileSync(config, `[options]\naddons_path = ${addons}\ndb_name = odoo\n`);
  return { command, config };
}
