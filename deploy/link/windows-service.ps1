# Runs the link of this folder as a task that starts with Windows, before anybody logs in, and again when it ends.
#
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 install      (as administrator)
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 status
#   powershell -ExecutionPolicy Bypass -File windows-service.ps1 uninstall
#
# It runs as you (-User another), as the agent that it wakes needs your tools and your login to them.
param(
  [Parameter(Mandatory = $true, Position = 0)][ValidateSet('install', 'status', 'uninstall')][string]$Action,
  [string]$Name = 'OutriggerLink',
  [string]$User = "$env:USERDOMAIN\$env:USERNAME"
)
$ErrorActionPreference = 'Stop'
$Folder = Split-Path -Parent $MyInvocation.MyCommand.Path

if ($Action -eq 'install') {
  if (-not (Test-Path (Join-Path $Folder 'config.json'))) { throw 'config.json is not there: copy config.json.example and fill it in.' }
  $Program = New-ScheduledTaskAction -Execute "$env:SystemRoot\System32\cmd.exe" -Argument "/d /c `"`"$Folder\start.cmd`"`"" -WorkingDirectory $Folder
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
