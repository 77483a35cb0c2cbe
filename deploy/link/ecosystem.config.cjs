// pm2 start ecosystem.config.cjs && pm2 save && pm2 startup
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
      stop_exit_codes: [78],
      // More than what tasks and calls get to end.
      kill_timeout: 30000,
      time: false,
    },
  ],
};
