/** What the attributes of the semantic conventions mean, in plain words, and which of them belong together. */

import type { Attributes } from './model';

export interface Group {
  readonly name: string;
  readonly attributes: Attributes;
}

const GROUPS: readonly (readonly [name: string, namespaces: readonly string[]])[] = [
  ['Error', ['error', 'exception']],
  ['HTTP', ['http', 'url', 'user_agent']],
  ['RPC', ['rpc']],
  ['Database', ['db']],
  ['Messaging', ['messaging']],
  ['Server', ['server']],
  ['Client', ['client', 'peer']],
  ['Network', ['network', 'net', 'tls', 'dns']],
  ['Code', ['code', 'thread']],
];

const OTHER = 'Other';

/** In the order in which one asks for them; empty groups are left out. */
export function grouped(attributes: Attributes): Group[] {
  const groups = new Map<string, (typeof attributes)[number][]>(GROUPS.map(([name]) => [name, []]));
  groups.set(OTHER, []);
  for (const pair of attributes) groups.get(groupOf(pair[0]))?.push(pair);
  return [...groups].filter(([, members]) => members.length > 0).map(([name, members]) => ({ name, attributes: members }));
}

function groupOf(key: string): string {
  const namespace = key.split('.', 1)[0] ?? '';
  return GROUPS.find(([, namespaces]) => namespaces.includes(namespace))?.[0] ?? OTHER;
}

export function meaning(key: string): string | undefined {
  return MEANINGS.get(key) ?? PREFIXES.find(([prefix]) => key.startsWith(prefix))?.[1];
}

const PREFIXES: readonly (readonly [prefix: string, words: string])[] = [
  ['http.request.header.', 'A header of the request, each line of it'],
  ['http.response.header.', 'A header of the response, each line of it'],
  ['rpc.request.metadata.', 'A metadata entry of the request'],
  ['rpc.response.metadata.', 'A metadata entry of the response'],
  ['db.query.parameter.', 'A value that the query was given'],
];

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['client.address', 'Who asked, as far as the server can tell: behind a trusted proxy, the one beyond it'],
  ['client.port', 'The port from which was asked'],
  ['code.column.number', 'The column in the source file'],
  ['code.file.path', 'The source file that made the span'],
  ['code.function.name', 'The function that made the span, with its module'],
  ['code.line.number', 'The line in the source file'],
  ['db.collection.name', 'The table or collection that was asked'],
  ['db.namespace', 'The database, and its schema if it has any'],
  ['db.operation.batch.size', 'How many queries were sent in one go'],
  ['db.operation.name', 'What the database was asked to do'],
  ['db.query.summary', 'The query in short: what it does to which tables'],
  ['db.query.text', 'The query itself, with its values taken out'],
  ['db.response.returned_rows', 'How many rows came back'],
  ['db.response.status_code', 'The code with which the database answered'],
  ['db.system.name', 'The kind of database'],
  ['error.type', 'What kind of failure it was: a class, a code, or a status; absent if it went well'],
  ['exception.escaped', 'Whether the exception left the span'],
  ['exception.message', 'What the exception says'],
  ['exception.stacktrace', 'Where the exception came from'],
  ['exception.type', 'The class of the exception'],
  ['http.request.body.size', 'Bytes of the request’s body, as sent'],
  ['http.request.method', 'The method; _OTHER if it is none of the known ones'],
  ['http.request.method_original', 'The method as it was written, where it is not a known one'],
  ['http.request.resend_count', 'How often the request had been sent before: retries and redirects'],
  ['http.response.body.size', 'Bytes of the response’s body, as sent'],
  ['http.response.status_code', 'The status of the response'],
  ['http.route', 'The pattern that the path fits, as the router has it'],
  ['messaging.batch.message_count', 'How many messages went in one go'],
  ['messaging.consumer.group.name', 'The group of consumers that shares the messages'],
  ['messaging.destination.name', 'The queue or topic'],
  ['messaging.message.id', 'The message’s id'],
  ['messaging.operation.name', 'What was done with the message'],
  ['messaging.system', 'The kind of message broker'],
  ['network.local.address', 'The address on this side of the connection'],
  ['network.local.port', 'The port on this side of the connection'],
  ['network.peer.address', 'The address on the other side of the connection; of a proxy, if there is one'],
  ['network.peer.port', 'The port on the other side of the connection'],
  ['network.protocol.name', 'The protocol, where it is not HTTP'],
  ['network.protocol.version', 'The version of the protocol that was spoken'],
  ['network.transport', 'How bytes travel: tcp, udp, unix, …'],
  ['network.type', 'The version of the internet protocol'],
  ['rpc.method', 'The service and method that were called'],
  ['rpc.method_original', 'The method as it was called, where there is none of that name'],
  ['rpc.response.status_code', 'The status with which the call ended'],
  ['rpc.status_code', 'The status with which the call ended'],
  ['rpc.system', 'The kind of remote call'],
  ['rpc.system.name', 'The kind of remote call'],
  ['server.address', 'The name of the server that was asked'],
  ['server.port', 'The port of the server that was asked'],
  ['service.instance.id', 'Which of the running copies of the service it is'],
  ['service.name', 'The service'],
  ['service.namespace', 'The family of services it belongs to'],
  ['service.version', 'The version of the service'],
  ['telemetry.sdk.language', 'The language in which the service is written'],
  ['telemetry.sdk.name', 'What recorded it'],
  ['telemetry.sdk.version', 'The version of what recorded it'],
  ['host.name', 'The machine'],
  ['os.type', 'The operating system'],
  ['process.pid', 'The number of the process'],
  ['process.executable.name', 'The program'],
  ['thread.id', 'The number of the thread'],
  ['thread.name', 'The name of the thread'],
  ['tls.protocol.version', 'The version of TLS'],
  ['url.full', 'The address that was asked for; passwords and signatures are taken out'],
  ['url.path', 'The path that was asked for'],
  ['url.query', 'What stood behind the question mark; signatures are taken out'],
  ['url.scheme', 'http or https'],
  ['url.template', 'The pattern that the path fits, as the caller has it'],
  ['user_agent.original', 'The program that asked, as it calls itself'],
]);
