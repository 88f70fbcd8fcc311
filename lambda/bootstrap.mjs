// SPDX-License-Identifier: LGPL-2.1-or-later
// The Node.js runtime of Lambda functions: finds the handler that _HANDLER names, asks the Runtime API for
// invocations, one after the other, and posts what the handler makes of them. Handlers are async functions, or take a
// callback; those made by awslambda.streamifyResponse write their answer to a stream.
//
// console writes frames to the descriptor that _LAMBDA_TELEMETRY_LOG_FD names, so that a message with line breaks stays
// one event; without it, lines go to the standard output.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import util from 'node:util';
import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';

const { env } = process;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const root = env.LAMBDA_TASK_ROOT;
const asJson = env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
let current; // the invocation that runs
let logFd = Number(env._LAMBDA_TELEMETRY_LOG_FD) || 0;
delete env._LAMBDA_TELEMETRY_LOG_FD;

// ---- console ----

const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const least = Math.max(0, asJson ? levels.indexOf((env.AWS_LAMBDA_LOG_LEVEL || 'INFO').toUpperCase()) : 0);

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function emit(text) {
  const body = Buffer.from(text);
  if (!logFd) {
    writeAll(1, Buffer.from(text.replace(/\n/g, '\r') + '\n'));
    return;
  }
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0xa55a0003, 0);
  head.writeUInt32BE(body.length, 4);
  head.writeBigInt64BE(BigInt(Date.now()) * 1000n, 8);
  writeAll(logFd, Buffer.concat([head, body]));
}

function asRecord(level, values) {
  const record = { timestamp: new Date().toISOString(), level, requestId: current?.id };
  const [first] = values;
  if (values.length === 1 && typeof first === 'object' && first !== null && !(first instanceof Error)) {
    record.message = first;
    try {
      return JSON.stringify(record);
    } catch { /* a circle: it goes as text */ }
  }
  record.message = util.format(...values);
  const error = values.find((value) => value instanceof Error);
  if (error)
    Object.assign(record, {
      errorType: error.name,
      errorMessage: error.message,
      stackTrace: (error.stack || '').split('\n').slice(1).map((line) => line.trim()),
    });
  return JSON.stringify(record);
}

function say(level, values) {
  if (levels.indexOf(level) < least) return;
  if (asJson) emit(asRecord(level, values));
  else emit(`${new Date().toISOString()}\t${current?.id ?? 'undefined'}\t${level}\t${util.format(...values)}`);
}

Object.assign(console, {
  trace: (...values) => say('TRACE', [new Error(util.format(...values)).stack.replace(/^Error/, 'Trace')]),
  debug: (...values) => say('DEBUG', values),
  log: (...values) => say('INFO', values),
  info: (...values) => say('INFO', values),
  warn: (...values) => say('WARN', values),
  error: (...values) => say('ERROR', values),
});

// ---- errors ----

const isError = (value) => value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';

function shape(error) {
  if (!isError(error))
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return {
    errorType: error.name,
    errorMessage: error.message,
    trace: String(error.stack || '').split('\n'),
  };
}

class StartError extends Error {
  constructor(name, message, cause) {
    super(message);
    this.name = name;
    if (cause?.stack) this.stack = cause.stack;
  }
}

// ---- the Runtime API ----

function call(method, url, headers, body, again = true) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/${url}`, headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    request.on('error', (error) => {
      // a connection that was kept may end at the moment it is used again
      if (again && request.reusedSocket && error.code === 'ECONNRESET') resolve(call(method, url, headers, body, false));
      else reject(error);
    });
    request.end(body);
  });
}

function post(url, text, type) {
  const body = Buffer.from(text);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  if (type) headers['Lambda-Runtime-Function-Error-Type'] = type;
  return call('POST', url, headers, body);
}

const postError = (url, error) => {
  const body = shape(error);
  return post(url, JSON.stringify(body), body.errorType);
};

// ---- the handler ----

const exists = (file) => fs.existsSync(file);

function isModule(file) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (exists(manifest)) return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
    if (folder === root || folder === path.dirname(folder)) return false;
  }
}

async function load(name) {
  const base = path.resolve(root, name);
  const file = ['', '.js', '.mjs', '.cjs'].map((end) => base + end).find((one) => exists(one) && fs.statSync(one).isFile());
  if (!base.startsWith(root + path.sep) && base !== root)
    throw new StartError('Runtime.MalformedHandlerName', `'${name}' is not inside the function's folder`);
  try {
    if (file && isModule(file)) return await import(pathToFileURL(file).href);
    const require = createRequire(path.join(root, 'index.js'));
    return require(file ?? require.resolve(name, { paths: [root] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new StartError('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`, error);
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND')
      throw new StartError('Runtime.ImportModuleError', `Error: ${error.message}`, error);
    throw error;
  }
}

async function findHandler() {
  const whole = env._HANDLER;
  const last = path.posix.basename(whole);
  const dot = last.indexOf('.');
  if (whole.includes('..') || dot < 1 || dot === last.length - 1)
    throw new StartError('Runtime.MalformedHandlerName', whole.includes('..')
      ? `'${whole}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`
      : 'Bad handler');
  const file = whole.slice(0, whole.length - last.length + dot);
  const loaded = await load(file);
  const pick = (from) => last.slice(dot + 1).split('.').reduce((value, name) => value?.[name], from);
  const found = pick(loaded) ?? pick(loaded?.default);
  if (found === undefined)
    throw new StartError('Runtime.HandlerNotFound', `${whole} is undefined or not exported`);
  if (typeof found !== 'function')
    throw new StartError('Runtime.HandlerNotFound', `${whole} is not a function`);
  return found;
}

// ---- answers by a stream ----

const PRELUDE = 'application/vnd.awslambda.http-integration-response';
globalThis.awslambda = {
  streamifyResponse: (handler, options) => {
    handler[STREAMING] = 'response';
    if (options?.highWaterMark !== undefined) handler[HIGH_WATER] = options.highWaterMark;
    return handler;
  },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.setContentType(PRELUDE);
      stream.write(JSON.stringify(prelude));
      stream.write(Buffer.alloc(8)); // eight zeros end the prelude
      return stream;
    },
  },
};

function openStream(id, highWaterMark) {
  const stream = new PassThrough(highWaterMark ? { highWaterMark } : {});
  let type = 'application/octet-stream', request, finished;
  const sent = new Promise((resolve, reject) => { finished = { resolve, reject }; });
  const start = () => {
    if (request) return;
    request = http.request({
      host, port, agent, method: 'POST', path: `/2018-06-01/runtime/invocation/${id}/response`,
      headers: {
        'Content-Type': type, 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked',
        Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
      },
    }, (answer) => answer.resume().on('end', finished.resolve));
    request.on('error', finished.reject);
  };
  stream.setContentType = (value) => { if (!request) type = value; };
  stream.on('data', (part) => { start(); request.write(part); });
  stream.on('end', () => { start(); request.end(); });
  const fail = async (error) => {
    const body = shape(error);
    if (!request) return postError(`invocation/${id}/error`, error);
    request.addTrailers({
      'Lambda-Runtime-Function-Error-Type': body.errorType,
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(body)).toString('base64'),
    });
    request.end();
    return sent;
  };
  return { stream, sent, fail };
}

async function runStreaming(handler, event, context) {
  const { stream, sent, fail } = openStream(context.awsRequestId, handler[HIGH_WATER]);
  try {
    await handler(event, stream, context);
    if (!stream.writableEnded) stream.end();
    await sent;
  } catch (error) {
    console.error('Invoke Error', error);
    await fail(error);
  }
}

// ---- invocations ----

function makeContext(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const given = headers['lambda-runtime-client-context'];
  const identity = headers['lambda-runtime-cognito-identity'];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: given ? JSON.parse(given) : undefined,
    identity: identity ? JSON.parse(identity) : undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// What the handler returns, or gives to its callback once nothing is left to do. When nothing is left and it has said
// nothing, that is null, as on AWS.
function run(handler, event, context) {
  let settled;
  let onEmpty;
  const result = new Promise((resolve, reject) => {
    const end = () => (settled?.error ? reject(settled.error) : resolve(settled ? settled.value : null));
    const settle = (error, value) => {
      settled ??= { error, value };
      if (!context.callbackWaitsForEmptyEventLoop) end();
    };
    onEmpty = end;
    process.once('beforeExit', onEmpty);
    context.done = settle;
    context.succeed = (value) => settle(null, value);
    context.fail = (error) => settle(error ?? 'handled');
    const value = handler(event, context, settle);
    if (typeof value?.then === 'function') value.then(resolve, reject);
    else if (handler.length < 3 && !settled && value !== undefined) resolve(value);
  });
  return result.finally(() => process.off('beforeExit', onEmpty));
}

function encode(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? 'null';
  } catch (error) {
    throw new StartError('Runtime.MarshalResultError', `Unable to stringify response body: ${error.message}`, error);
  }
}

async function invoke(handler, next) {
  const context = makeContext(next.headers);
  const id = context.awsRequestId;
  current = { id };
  env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'];
  let body;
  try {
    const event = JSON.parse(next.body);
    if (handler[STREAMING]) return await runStreaming(handler, event, context);
    body = encode(await run(handler, event, context));
  } catch (error) {
    console.error('Invoke Error', isError(error) ? error : util.format(error));
    return postError(`invocation/${id}/error`, error);
  }
  return post(`invocation/${id}/response`, body);
}

async function die(kind, error) {
  console.error(kind, error);
  const url = current ? `invocation/${current.id}/error` : 'init/error';
  const body = { ...shape(error), errorType: kind === 'Uncaught Exception' ? shape(error).errorType : 'Runtime.UnhandledPromiseRejection' };
  if (kind !== 'Uncaught Exception') body.errorMessage = isError(error) ? `${error.name}: ${error.message}` : String(error);
  try {
    await post(url, JSON.stringify(body), body.errorType);
  } finally {
    process.exit(kind === 'Uncaught Exception' ? 129 : 128);
  }
}

process.on('uncaughtException', (error) => die('Uncaught Exception', error));
process.on('unhandledRejection', (error) => die('Unhandled Promise Rejection', error));

let handler;
try {
  handler = await findHandler();
} catch (error) {
  console.error('Uncaught Exception', error);
  await postError('init/error', error);
  process.exit(1);
}
for (;;) {
  const next = await call('GET', 'invocation/next', {});
  if (next.status !== 200) process.exit(1);
  await invoke(handler, next);
}
