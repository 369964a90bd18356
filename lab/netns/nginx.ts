/**
 * The http services of a host: one nginx for all of them, in a folder of its own. The one idea: an ordinary server
 * that knows nothing of labs; it names itself in a header, serves the known pattern, and answers a POST when it has
 * received it whole, through itself over a socket in its folder.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { HostNode } from '../file/index.ts'
import { LabProcess } from './process.ts'
import type { Surroundings } from './surroundings.ts'

const START_LIMIT_MS = 10_000
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/** Starts nginx for the http services of a host; resolves when they are open. @param life how often before */
export async function startNginx(
  host: HostNode,
  surroundings: Surroundings,
  life: number,
): Promise<LabProcess> {
  const folder = join(surroundings.folder, `${host.name}-nginx-${life}`)
  mkdirSync(folder, { mode: 0o711 })
  const configFile = join(folder, 'nginx.conf')
  writeFileSync(configFile, nginxConfig(host, folder, surroundings))
  const process = LabProcess.start(surroundings.ledger, {
    what: `nginx of ${host.name}`,
    namespace: surroundings.network.namespace(host.name),
    command: ['nginx', '-p', folder, '-c', configFile, '-e', join(folder, 'error.log')],
    logFile: join(folder, 'output.log'),
  })
  // nginx writes it after it has opened its ports.
  const pidFile = join(folder, 'nginx.pid')
  await process.waitUntil(() => existsSync(pidFile), 'starting', START_LIMIT_MS)
  return process
}

function nginxConfig(host: HostNode, folder: string, { patterns }: Surroundings): string {
  const services = host.services.filter(({ protocol }) => protocol === 'http')
  const servers = services.flatMap(({ port, bytes = 0 }) => {
    const file = basename(patterns.path(bytes))
    return serverLines(port, file, join(folder, `${port}.sock`))
  })
  return `${[
    'daemon off;',
    'worker_processes 1;',
    'worker_rlimit_nofile 65536;',
    ...(process.getuid?.() === 0 ? ['user nobody nogroup;'] : []),
    `pid ${folder}/nginx.pid;`,
    `error_log ${folder}/error.log warn;`,
    'events { worker_connections 16384; }',
    'http {',
    '  access_log off;',
    '  server_tokens off;',
    '  etag off;',
    '  sendfile on;',
    '  default_type application/octet-stream;',
    '  keepalive_timeout 60s;',
    '  keepalive_requests 1000000000;',
    '  client_max_body_size 0;',
    `  root ${patterns.folder};`,
    ...TEMPORARY.map((each) => `  ${each}_temp_path ${folder}/${each};`),
    `  add_header X-Pronto-Host ${host.name};`,
    `  add_header X-Served-By ${host.name};`,
    ...servers,
    '}',
  ].join('\n')}\n`
}

function serverLines(port: number, file: string, socket: string): string[] {
  return [
    '  server {',
    `    listen 0.0.0.0:${port} backlog=4096;`,
    `    location = / { if ($request_method = POST) { rewrite ^ /upload last; } try_files /${file} =404; }`,
    '    location / { return 404; }',
    '    location = /upload {',
    '      internal;',
    `      proxy_pass http://unix:${socket}:/;`,
    '      proxy_method GET;',
    '      proxy_pass_request_body off;',
    '      proxy_set_header Content-Length "";',
    '      proxy_max_temp_file_size 0;',
    '      proxy_hide_header X-Pronto-Host;',
    '      proxy_hide_header X-Served-By;',
    '    }',
    '  }',
    `  server { listen unix:${socket}; location = / { try_files /${file} =404; } location / { return 404; } }`,
  ]
}
