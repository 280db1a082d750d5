// A certified OpenID provider (panva's oidc-provider) at the addresses where Microsoft has its own, and as much of Graph
// as a sign-in asks for. It is stricter than Microsoft: PKCE is required, each refresh token serves once, and one that
// comes back ends the sign-in. Prints its origin, and ends with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { tenant, account, client } = JSON.parse(process.argv[2]);
const seen = { refreshes: 0, revoked: 0, refusals: [] };
let provider;

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname === '/seen') return answer(response, 200, seen);
  if (url.pathname.startsWith('/v1.0/')) return graph(request, response, url);
  if (!url.pathname.startsWith(`/${tenant}/`)) return answer(response, 404, {});
  // below the tenant, with discovery where the issuer has it; and what Microsoft calls select_account is to ask anew
  const at = `${url.pathname.slice(tenant.length + 1).replace(/^\/v2\.0\/\.well-known/, '/.well-known')}${url.search}`;
  request.url = at.replace('prompt=select_account', 'prompt=login%20consent');
  request.originalUrl = `/${tenant}${request.url}`;
  return provider.callback()(request, response);
});

server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  provider = new Provider(`${origin}/${tenant}/v2.0`, {
    clients: [{ ...client, token_endpoint_auth_method: 'client_secret_post', grant_types: ['authorization_code', 'refresh_token'] }],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ['openid', 'profile', 'offline_access', 'User.Read', 'Mail.Read'],
    claims: { openid: ['sub', 'tid', 'oid'], profile: ['name', 'preferred_username'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, tid: tenant, ...account }) }),
    routes: { authorization: '/oauth2/v2.0/authorize', token: '/oauth2/v2.0/token', jwks: '/discovery/v2.0/keys' },
    jwks: { keys: [signingKey()] },
    cookies: { keys: ['of a test'] },
    features: { devInteractions: { enabled: true } },
  });
  provider.on('grant.success', (ctx) => { seen.refreshes += ctx.oidc.params.grant_type === 'refresh_token'; });
  provider.on('grant.error', (_, error) => seen.refusals.push(error.error_detail ?? error.error_description));
  provider.on('grant.revoked', () => { seen.revoked += 1; });
  console.log(origin);
});

process.stdin.resume().on('end', () => process.exit());

async function graph(request, response, url) {
  const token = await provider.AccessToken.find((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!token) return answer(response, 401, { error: { code: 'InvalidAuthenticationToken', message: 'No such token.' } });
  const user = { id: account.oid, displayName: account.name, userPrincipalName: account.preferred_username };
  return answer(response, 200, url.pathname === '/v1.0/me' ? { ...user, mail: user.userPrincipalName } : { id: 'inbox' });
}

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'first' };
}
