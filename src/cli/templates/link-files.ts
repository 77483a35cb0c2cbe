import { EXAMPLE_TOKEN } from '../../config/link-config.ts';

/** Exit code of a link that the hub refuses for good: to start it again would change nothing. */
const REFUSED = 78;

/**
 * Every file of a folder for a link, by path; all of them are text. `folder` is where they will lie, absolute: the files for systemd,
 * launchd and Windows name it. deploy/link holds these for /opt/outrigger-link (a test compares).
 */
export function linkFiles(folder: string): Readonly<Record<string, string>> {
  return {
    'config.json.example': configExample,
    'agent.mjs': agent,
    '.gitignore': gitignore,
    'start.sh': startScript,
    'start.cmd': startCommand,
    'ecosystem.config.cjs': ecosystem,
    'systemd/user/outrigger-link.service': systemdUnit(folder, 'user'),
    'systemd/system/outrigger-link.service': systemdUnit(folder, 'system'),
    'launchd/outrigger.link.plist': launchdPlist(folder),
    'windows-service.ps1': windowsService,
  };
}

const configExample = `${JSON.stringify(
  {
    agent_id: 'builder-1',
    token: EXAMPLE_TOKEN,
    hub_url: 'ws://127.0.0.1:4000/ws',
    capabilities: ['code'],
    // Started in repo_dir, which is this folder.
    wake_command: ['node', 'agent.mjs'],
    confirmation_timeout_ms: 30_000,
    results_dir: './results',
    log_file: './link.log',
    log_level: 'info',
    repo_dir: '.',
    allow: 'none',
    timeouts: { dial_ms: 10_000, identify_ms: 10_000, ping_ms: 30_000, pong_ms: 10_000, stop_ms: 1000 },
  },
  null,
  2,
)}\n`;

// docs/link.md shows the same.
const agent = `// Does one task of a hub: \`outrigger link\` starts it for each, with what it needs in the environment (docs/link.md).
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const { OUTRIGGER_TASK_FILE: taskFile, OUTRIGGER_TASK_ID: id, OUTRIGGER_RESULTS: results, OUTRIGGER_RESULT_FILE: resultFile } = process.env;
if (!taskFile || !id || !results || !resultFile) {
  console.error('This program is started by a link (outrigger link) for a task.');
  process.exit(2);
}

/** The work. Its result is any JSON; what it throws is the reason of a failure. */
async function work(task) {
  // ▼▼▼ YOUR WORK GOES HERE ▼▼▼
  return \`done: \${task.description}\`;
  // ▲▲▲ YOUR WORK GOES HERE ▲▲▲
}

try {
  writeFileSync(\`\${results}/\${id}.started\`, '');
  handOver({ status: 'success', output: await work(JSON.parse(readFileSync(taskFile, 'utf8'))) });
} catch (error) {
  handOver({ status: 'failed', reason: String(error?.stack ?? error) });
}

/** Written beside and renamed, so that nobody reads half of it. */
function handOver(result) {
  const beside = \`\${resultFile}.new\`;
  writeFileSync(beside, JSON.stringify(result));
  renameSync(beside, resultFile);
}
`;

const gitignore = `# Made at run time, and the token.
config.json
token
queue.json
queue.json.imported
*.log
*.log.*
logs/
results/
state/
node_modules/
`;

const startScript = `#!/bin/sh
# Starts the link of this folder and stays. $OUTRIGGER is another program than the one that is installed here or on PATH.
cd -- "$(dirname -- "$0")" || exit 1
program=\${OUTRIGGER:-./node_modules/.bin/outrigger}
if [ ! -x "$program" ]; then program=outrigger; fi
exec "$program" link config.json "$@"
`;

const startCommand = windowsLines(`@echo off
rem Starts the link of this folder and stays.
setlocal
cd /d "%~dp0"
if not defined OUTRIGGER set "OUTRIGGER=%~dp0node_modules\\.bin\\outrigger.cmd"
if not exist "%OUTRIGGER%" set "OUTRIGGER=outrigger"
call "%OUTRIGGER%" link config.json %*
exit /b %ERRORLEVEL%
`);

const ecosystem = `// pm2 start ecosystem.config.cjs && pm2 save && pm2 startup
module.exports = {
  apps: [
    {
      name: 'outrigger-link',
      script: './start.sh',
      interpreter: '/bin/sh',
      cwd: __dirname,
      max_restarts: 50,
      min_uptime: 5000,
      restart_delay: 2000,
      // The hub refuses our token: to ask again would change nothing.
      stop_exit_codes: [${REFUSED}],
      // More than what tasks and calls get to end.
      kill_timeout: 30000,
      time: false,
    },
  ],
};
`;

function systemdUnit(folder: string, of: 'user' | 'system'): string {
  const script = `${folder}/start.sh`;
  const own =
    of === 'user'
      ? `#   mkdir -p ~/.config/systemd/user && cp outrigger-link.service ~/.config/systemd/user/
#   systemctl --user daemon-reload && systemctl --user enable --now outrigger-link
#   loginctl enable-linger            so that it runs while nobody is logged in`
      : `#   useradd --system --create-home outrigger && chown -R outrigger: ${folder}
#   cp outrigger-link.service /etc/systemd/system/
#   systemctl daemon-reload && systemctl enable --now outrigger-link`;
  const hardening =
    of === 'user'
      ? ''
      : `User=outrigger
# The agent that it wakes runs in here too: loosen what your agent needs.
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=full
`;
  return `# A link to a hub, started with the ${of === 'user' ? 'user' : 'machine'} and again when it ends.
#
${own}
[Unit]
Description=Outrigger link to a hub
${of === 'user' ? '' : 'Wants=network-online.target\nAfter=network-online.target\n'}StartLimitIntervalSec=300
StartLimitBurst=50

[Service]
Type=simple
${hardening}WorkingDirectory=${unitPath(folder)}
ExecStart=/bin/sh ${unitWord(script)}
Restart=always
RestartSec=2
# The hub refuses our token: to ask again would change nothing.
RestartPreventExitStatus=${REFUSED}
# First the link alone is told, so that it can end its tasks in order.
KillMode=mixed
TimeoutStopSec=45

[Install]
WantedBy=${of === 'user' ? 'default' : 'multi-user'}.target
`;
}

/** A path as a value of its own; only % has a meaning there. */
function unitPath(text: string): string {
  return text.replaceAll('%', '%%');
}

/** One word of a command line. */
function unitWord(text: string): string {
  return `"${text.replace(/["\\]/g, String.raw`\$&`).replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}

function launchdPlist(folder: string): string {
  const text = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!--
  cp outrigger.link.plist ~/Library/LaunchAgents/
  launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/outrigger.link.plist
-->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>outrigger.link</string>
  <key>ProgramArguments</key>
  <array>
    <string>/bin/sh</string>
    <string>${text(folder)}/start.sh</string>
  </array>
  <key>WorkingDirectory</key>
  <string>${text(folder)}</string>
  <key>EnvironmentVariables</key>
  <dict>
    <key>PATH</key>
    <string>/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <!-- launchd knows no exit code after which to stay away: where the hub refuses our token it is asked once a minute. -->
  <key>ThrottleInterval</key>
  <integer>60</integer>
  <key>ExitTimeOut</key>
  <integer>45</integer>
  <key>ProcessType</key>
  <string>Background</string>
  <key>StandardErrorPath</key>
  <string>${text(folder)}/launchd.log</string>
</dict>
</plist>
`;
}

// PowerShell 5, which every Windows has, takes text without a mark for Latin letters: this is ASCII.
const windowsService =
  windowsLines(`# Runs the link of this folder as a task that starts with Windows, before anybody logs in, and again when it ends.
#
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 install      (as administrator)
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 status
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 uninstall
#
# It runs as you (-User another), as the agent that it wakes needs your tools and your login to them.
param(
  [Parameter(Mandatory = $true, Position = 0)][ValidateSet('install', 'status', 'uninstall')][string]$Action,
  [string]$Name = 'OutriggerLink',
  [string]$User = "$env:USERDOMAIN\\$env:USERNAME"
)
$ErrorActionPreference = 'Stop'
$Folder = Split-Path -Parent $MyInvocation.MyCommand.Path

if ($Action -eq 'install') {
  if (-not (Test-Path (Join-Path $Folder 'config.json'))) { throw 'config.json is not there: copy config.json.example and fill it in.' }
  $Program = New-ScheduledTaskAction -Execute "$env:SystemRoot\\System32\\cmd.exe" -Argument "/d /c \`"\`"$Folder\\start.cmd\`"\`"" -WorkingDirectory $Folder
  $Start = New-ScheduledTaskTrigger -AtStartup
  # So that one that ended is there again within a minute, whatever its exit code; while it runs this does nothing.
  $Again = New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 1)
  # No end by time.
  $Settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ExecutionTimeLimit ([TimeSpan]::Zero) -MultipleInstances IgnoreNew
  # S4U: without a stored password, and without a login.
  $As = New-ScheduledTaskPrincipal -UserId $User -LogonType S4U -RunLevel Limited
  Register-ScheduledTask -TaskName $Name -Action $Program -Trigger $Start, $Again -Settings $Settings -Principal $As -Force | Out-Null
  Start-ScheduledTask -TaskName $Name
  Write-Output "$Name is installed and started. Its log is log_file of config.json."
}
elseif ($Action -eq 'status') {
  Get-ScheduledTask -TaskName $Name | Select-Object TaskName, State
  Get-ScheduledTaskInfo -TaskName $Name | Select-Object LastRunTime, LastTaskResult, NumberOfMissedRuns
}
else {
  Stop-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue
  Unregister-ScheduledTask -TaskName $Name -Confirm:$false
  Write-Output "$Name is removed. config.json, results and the log stay."
}
`);

function windowsLines(text: string): string {
  return text.replaceAll('\n', '\r\n');
}
