@echo off
rem Starts the link of this folder and stays.
setlocal
cd /d "%~dp0"
if not defined OUTRIGGER set "OUTRIGGER=%~dp0node_modules\.bin\outrigger.cmd"
if not exist "%OUTRIGGER%" set "OUTRIGGER=outrigger"
call "%OUTRIGGER%" link config.json %*
exit /b %ERRORLEVEL%
