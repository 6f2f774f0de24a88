"""Made-up credentials of many kinds, put together at run time so that no scanner minds them."""

from __future__ import annotations

import base64
import json
import random
import re
import string

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE64 = LETTERS + "+/"


def some(name: str, count: int, alphabet: str = LETTERS) -> str:
    """Return characters drawn by chance, the same for the same name."""
    generator = random.Random(f"made up {name}")
    return "".join(generator.choice(alphabet) for _ in range(count))


def _key(name: str, lines: int = 5) -> str:
    """Return a private key of this kind; its lines are chance."""
    body = "\n".join(some(f"{name}{line}", 64, BASE64) for line in range(lines))
    kind = f"{name} PRIVATE".strip()
    return f"-----BEGIN {kind} KEY-----\n{body}\n{some(name, 30)}==\n-----END {kind} KEY-----"


def _parts(*parts: str) -> str:
    return "".join(parts)


# Each with the part that must not be readable.
KINDS: dict[str, tuple[str, str]] = {}


def _add(name: str, text: str, secret: str = "") -> None:
    KINDS[name] = (text, secret or text)


def _add_tokens() -> None:
    for name, prefix, count, alphabet in (
        ("aws key id", "AK+IA", 16, string.ascii_uppercase),
        ("aws temporary key id", "AS+IA", 16, string.ascii_uppercase),
        ("google api key", "AI+za", 35, LETTERS),
        ("google oauth secret", "GOC+SPX-", 28, LETTERS),
        ("google access token", "ya+29.", 60, LETTERS),
        ("github classic", "gh+p_", 36, LETTERS),
        ("github oauth", "gh+o_", 36, LETTERS),
        ("github user", "gh+u_", 36, LETTERS),
        ("github server", "gh+s_", 36, LETTERS),
        ("github refresh", "gh+r_", 36, LETTERS),
        ("github fine grained", "github+_pat_", 82, LETTERS + "_"),
        ("gitlab", "gl+pat-", 20, LETTERS),
        ("buildkite", "bk+ua_", 40, HEX),
        ("circleci", "CCI+PAT_", 63, LETTERS),
        ("gitlab runner", "gl+rt-", 20, LETTERS),
        ("gitlab deploy", "gl+dt-", 20, LETTERS),
        ("slack bot", "xo+xb-123456789012-1234567890123-", 24, LETTERS),
        ("slack user", "xo+xp-123456789012-1234567890123-", 32, LETTERS),
        ("slack app", "xa+pp-1-A0123456789-1234567890123-", 64, HEX),
        ("slack webhook", "https://hooks.slack+.com/services/T0ABCDEF1/B0ABCDEF2/", 24, LETTERS),
        ("discord webhook", "https://discord+.com/api/webhooks/123456789012345678/", 68, LETTERS),
        ("sendgrid", "S+G.ngeVfQFYQlKU0ufo8x5d1A.", 43, LETTERS),
        ("twilio key", "S+K", 32, HEX),
        ("mailgun", "ke+y-", 32, HEX),
        ("pypi", "py+pi-AgEIcHlwaS5vcmc", 90, LETTERS),
        ("docker hub", "dckr+_pat_", 27, LETTERS),
        ("digitalocean", "dop+_v1_", 64, HEX),
        ("heroku", "HRK+U-", 60, LETTERS),
        ("shopify", "shp+at_", 32, HEX),
        ("square", "sq0+atp-", 22, LETTERS),
        ("square secret", "sq0+csp-", 43, LETTERS),
        ("openai project", "s+k-proj-", 74, LETTERS),
        ("openai legacy", "s+k-", 48, LETTERS),
        ("anthropic", "s+k-ant-api03-", 93, LETTERS),
        ("hugging face", "h+f_", 34, string.ascii_letters),
        ("stripe", "s+k_live_", 24, LETTERS),
        ("stripe restricted", "r+k_test_", 24, LETTERS),
        ("npm", "n+pm_", 36, LETTERS),
        ("databricks", "da+pi", 32, HEX),
        ("atlassian", "ATA+TT3xFfGF0", 170, LETTERS),
        ("langsmith", "ls+v2_pt_" + some("ls", 32, HEX) + "_", 10, HEX),
        ("telegram address", "https://api.telegram.org/bot+1234567890:A+A", 33, LETTERS),
        ("signed by cloudfront", "https://d.cloudfront.net/x?Expires=1&Sig+nature=", 120, LETTERS),
        ("linear", "lin+_api_", 40, LETTERS),
        ("notion", "nt+n_", 46, LETTERS),
        ("notion old", "sec+ret_", 43, LETTERS),
        ("grafana", "gl+sa_", 41, LETTERS),
        ("vault", "hv+s.", 95, LETTERS),
        ("terraform", "1a2B3c4D5e6F7g.atlas+v1.", 67, LETTERS),
        ("new relic", "NR+AK-", 27, string.ascii_uppercase),
        ("postman", "PM+AK-" + some("pm", 24, HEX) + "-", 34, HEX),
        ("telegram", "1234567890:A+A", 33, LETTERS),
        ("mailchimp", some("mc", 32, HEX) + "-+us", 2, "12"),
        ("discord bot", "M" + some("db", 23) + ".+" + some("dc", 6) + ".", 27, LETTERS),
        ("azure client secret", some("az", 3) + "8Q+~", 34, LETTERS),
        ("aws session token", "IQoJ+b3JpZ2lu", 300, BASE64),
    ):
        text = prefix.replace("+", "") + some(name, count, alphabet)
        _add(name, text, text[-count:] if count > 2 else text)


def _add_structured() -> None:
    jwt = _parts("ey", "JhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0In0.", some("jwt", 43))
    _add("jwt", jwt, some("jwt", 43))
    for kind in ("RSA", "EC", "OPENSSH", "ENCRYPTED", "DSA", ""):
        _add(f"private key {kind}", _key(kind), some(f"{kind}2", 64, BASE64))
    pgp = _key("PGP").replace("KEY-----", "KEY BLOCK-----")
    _add("private key PGP", pgp, some("PGP2", 64, BASE64))
    _add("key without end", _key("RSA").rpartition("\n")[0], some("RSA2", 64, BASE64))
    _add("key without begin", _key("RSA").partition("\n")[2], some("RSA2", 64, BASE64))
    bare = _parts("MIIEpA", "IBAAKCAQEA", some("bare", 46, BASE64), "\n", some("bare2", 64, BASE64))
    _add("key body", bare, some("bare2", 64, BASE64))
    ssh = _parts("b3BlbnNz", "aC1rZXktdjEAAAAABG5vbmU", some("ssh", 41), "\n", some("ssh2", 64))
    _add("openssh body", ssh, some("ssh2", 64))
    account = {"type": "service_account", "private_key": _key(""), "client_email": "a@b.iam"}
    _add("google service account", json.dumps(account), some("2", 64, BASE64))
    for scheme in ("postgresql", "mysql+pymysql", "mongodb+srv", "amqp", "redshift", "snowflake"):
        _add(
            f"{scheme} url",
            f"{scheme}://admin:{some(scheme, 12)}@db.example.org/sales",
            some(scheme, 12),
        )
    _add("redis url", f"redis://:{some('redis', 16)}@cache.example.org:6379/0", some("redis", 16))
    _add("https url", f"https://me:{some('https', 14)}@example.org/x.csv", some("https", 14))
    _add("token in url", f"https://{some('git', 40)}@example.org/x.git", some("git", 40))
    sas = some("sas", 43) + "%3D"
    _add("azure sas", f"https://acct.blob.core.windows.net/c?sv=2022-11-02&sp=rl&sig={sas}", sas)
    account_key = some("acct", 86, BASE64) + "=="
    azure = (
        f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={account_key};EndpointSuffix=x"
    )
    _add("azure storage", azure, account_key)
    colors = "\x1b[38:2::255:0:0mgh\x1b[mp_" + some("colors", 36)
    _add("within colors", colors, some("colors", 36))
    putty = some("putty", 64, BASE64)
    _add("putty", f"Private-Lines: 1\n{putty}\nPrivate-MAC: 1a2b", putty)
    bus_key = some("bus", 43, BASE64) + "="
    bus = f"Endpoint=sb://x.net/;SharedAccessKeyName=Root;SharedAccessKey={bus_key}"
    _add("azure service bus", bus, bus_key)
    _add(
        "signed url",
        f"https://b.s3.amazonaws.com/x?X-Amz-Signature={some('sig', 64, HEX)}",
        some("sig", 64, HEX),
    )


# A secret of so many characters stands for <N>.
NAMED = (
    ("aws secret", "aws_secret_access_key = <40>"),
    ("aws secret json", '"SecretAccessKey": "<40>"'),
    ("env", "DB_PASSWORD=<12>"),
    ("env quoted", 'export API_KEY="<32>"'),
    ("pgpassword", "PGPASSWORD=<12> psql -h db"),
    ("yaml", "password: <12>"),
    ("yaml quoted", "password: '<12>'"),
    ("toml", 'client_secret = "<24>"'),
    ("ini", "passwd = <12>"),
    ("json", '{"username": "a", "password": "<12>"}'),
    ("python keyword", 'connect(user="a", password="<12>")'),
    ("python annotation", 'api_key: str = "<24>"'),
    ("python item", 'os.environ["HF_TOKEN"] = "<24>"'),
    ("python call", 'os.environ.setdefault("DB_PASSWORD", "<24>")'),
    ("python object", 'password=SecretStr("<14>")'),
    ("dsn", "host=db port=5432 user=me password=<14> dbname=x"),
    ("jdbc", "jdbc:postgresql://db/x?user=me&password=<14>&ssl=true"),
    ("command line", "tool --password <14> run"),
    ("command line equals", "tool --token=<24> run"),
    ("curl", "curl -s -u admin:<14> https://example.org"),
    ("curl, directly", "curl -u admin:<14> https://example.org"),
    ("odbc", "Driver={PostgreSQL};Server=db;UID=bob;PWD=<14>;"),
    ("xml element", "<password><14></password>"),
    ("xml element of a namespace", "<db:password><14></db:password>"),
    ("curl header", 'curl -H "X-Api-Key: <32>" https://example.org'),
    ("mysql", "mysql -u root -p<14> sales"),
    ("bearer", "Authorization: Bearer <40>"),
    ("bearer dict", '{"Authorization": "Bearer <40>"}'),
    ("token header", "Authorization: token <40>"),
    ("private token", "PRIVATE-TOKEN: <20>"),
    ("cookie", "Cookie: sessionid=<32>; path=/"),
    ("set-cookie", "Set-Cookie: session=<40>; HttpOnly"),
    ("netrc", "machine api.example.org login me password <14>"),
    ("netrc lines", "machine api.example.org\n  login me\n  password <14>"),
    ("pgpass", "db.example.org:5432:sales:me:<14>"),
    ("npmrc", "//registry.npmjs.org/:_authToken=<36>"),
    ("pip", "index-url = https://me:<20>@pypi.example.org/simple"),
    ("sql", "CREATE USER me IDENTIFIED BY '<12>'"),
    ("sql password", "ALTER ROLE me WITH PASSWORD '<12>'"),
    ("kubernetes", "- name: DB_PASSWORD\n  value: <14>"),
    ("mlflow", "MLFLOW_TRACKING_PASSWORD=<16>"),
    ("snowflake", 'snowflake.connector.connect(account="x", user="me", password="<14>")'),
    ("django", "SECRET_KEY = '<50>'"),
    ("camel case", "accessToken: '<32>'"),
    ("go", 'password := "<14>"'),
    ("ruby", ':password => "<14>"'),
    ("shell", "$ export TOKEN=<32>"),
    ("padded base64 under a name", "data:\n  db-password: Z<22>=\n"),
    ("quoted in an address", "payload=%7B%22client_secret%22%3A%22<24>%22%7D"),
    ("function key", "https://f.example.net/api/run?code=<54>=="),
    ("address in an address", "to=sftp%3A%2F%2Fme%3A<14>%40files.example.org"),
    ("pair of a request", "requests.get(url, auth=('anna', '<14>'))"),
    ("basic auth object", "HTTPBasicAuth('anna', '<14>')"),
    ("client by position", "Client('<40>')"),
    ("session of a dict", "{'session': '<40>', 'theme': 'dark'}"),
    ("json web key", '{"kty":"oct","k":"<43>"}'),
    ("password field", '<input type="password" name="x" value="<14>">'),
    ("hidden field", '<input type="hidden" name="access_token" value="<40>">'),
    ("attribute of a setting", '<add key="ApiKey" value="<32>"/>'),
    ("row of markdown", "| api_key | <40> |"),
    ("zip", "zip -P <16> a.zip b.csv"),
    ("azure login", "az login --service-principal -u x -p <34> --tenant y"),
    ("rails", "secret_key_base: <64>"),
    ("german", "Passwort: <14>"),
    ("passphrase in words", "pass_phrase=<14>"),
    ("short name", 'pw = "<14>"'),
    ("7z", "7z x -p<14> a.7z"),
    ("ldap", "ldapsearch -x -D cn=admin,dc=x -w <14> -b dc=x"),
    ("minio", "mc alias set s3 https://minio.example.org me <32>"),
    ("sqlcmd", 'sqlcmd -S db -U sa -P <14> -Q "select 1"'),
    ("twine", "twine upload -u __token__ -p <40> dist/*"),
    ("vault login", "vault login <26>"),
    ("secret of a string", "databricks secrets put --scope x --key y --string-value <32>"),
    ("piped", "echo <40> | gh auth login --with-token"),
    ("sqlplus", "sqlplus scott/<14>@db.example.org/xe"),
    ("jdbc oracle", "jdbc:oracle:thin:scott/<14>@//db:1521/xe"),
    ("odbc in braces", "DRIVER={ODBC Driver 18};SERVER=db;UID=me;PWD={<14>}"),
    ("login by position", 'smtp.login("me@example.org", "<14>")'),
    ("ftp by position", 'ftplib.FTP("example.org", "me", "<14>")'),
    ("oracle by position", 'oracledb.connect("scott", "<14>", "db/xe")'),
    ("mqtt", 'client.username_pw_set("me", "<14>")'),
    ("keyring", 'keyring.set_password("x", "me", "<14>")'),
    ("pair as a text", 'Elasticsearch(u, http_auth="elastic:<14>")'),
    ("fernet", 'Fernet(b"<43>=")'),
    ("hmac", 'hmac.new(b"<32>", message, "sha256")'),
    ("jwt secret", 'jwt.encode(claims, "<32>", algorithm="HS256")'),
    ("consumer secret by position", 'OAuthHandler("a", "<50>")'),
    ("pgcrypto", "SELECT pgp_sym_decrypt(x, '<14>')"),
    ("spark", 'conf.set("fs.azure.account.key.x.dfs.core.windows.net", "<86>==")'),
    ("key in an address", "https://maps.example.org/json?key=<39>"),
    ("appid", "https://api.example.org/weather?q=Bern&appid=<32>"),
    ("yaml tag", "password: !!str <14>"),
    ("yaml anchor", "password: &pw <14>"),
    ("yaml block", "password: >-\n  <14>\nuser: me"),
    ("wifi", 'ssid="x"\n psk="<14>"'),
    ("latex", r"\newcommand{\apikey}{<32>}"),
    ("sentence", "The password is <14>."),
    ("german sentence", "Das Passwort lautet <14>"),
    ("french", "mot de passe : <14>"),
    ("user and password", "user/pass: me / <14>"),
    ("bold in markdown", "**Password:** `<14>`"),
    ("option of a program", 'parser.add_argument("--password", default="<14>")'),
    ("typed option", '@click.option("--token", type=str, default="<32>")'),
    ("widget", "widgets.Password(value='<14>', description='x')"),
    ("terraform variable", 'variable "db_password" { default = "<14>" }'),
    ("lua", "local api_key = [[<32>]]"),
    ("lua, leveled", "password = [==[<14>]==]"),
    ("matlab", "opts = weboptions('Username','me','Password','<14>');"),
    ("matlab by position", "conn = database('sales','admin','<14>');"),
    ("without a scheme", "index-url = //me:<20>@pypi.example.org/simple"),
    ("host with a login", "host = me:<14>@db.example.org:5432/sales"),
    ("otherwise", 'password = getpass.getpass("Password: ") or "<14>"'),
    ("otherwise a variable", "token = os.environ['X'] or '<32>'"),
    ("else", "password = None if remote else '<14>'"),
    ("several at once", "user, password = 'me', '<14>'"),
    ("field", "api_key: str = Field(default='<32>')"),
    ("r", "password <- '<14>'"),
    ("rust", 'let api_key: &str = "<32>";'),
    ("rust, owned", 'let password = String::from("<14>");'),
    ("c", 'char password[] = "<14>";'),
    ("basic", 'Const sPassword As String = "<14>"'),
    ("powershell", "$password = ConvertTo-SecureString '<14>' -AsPlainText -Force"),
    ("connection by position", 'DriverManager.getConnection("jdbc:x://h/db", "me", "<14>")'),
    ("crypt", "me:$apr1$abc12345$<22>"),
    ("french name", "mot_de_passe = '<14>'"),
    ("dutch", "wachtwoord: <14>"),
    ("swedish", "losenord = '<14>'"),
    ("norwegian", "passord = '<14>'"),
    ("polish", "haslo = '<14>'"),
    ("html entities", "password&#61;&#39;<14>&#39;"),
    ("escaped equals", '{"a": "password\\u003d<14>"}'),
)
# And of so many hexadecimal digits for {}.
NAMED_HEX = (
    ("wandb", "WANDB_API_KEY={}", 40),
    ("wandb login", "wandb login --relogin {}", 40),
    ("kaggle", '{{"username":"me","key":"{}"}}', 32),
    ("heroku uuid", "HEROKU_API_KEY={}", 32),
    ("datadog", "DD_API_KEY={}", 32),
    ("twilio token", "TWILIO_AUTH_TOKEN={}", 32),
)


def _add_named() -> None:
    for name, text in NAMED:
        place = re.search(r"<(\d+)>", text)
        secret = some(name, int(place[1])) if place else ""
        _add(name, re.sub(r"<\d+>", secret, text), secret)
    for name, text, count in NAMED_HEX:
        secret = some(name, count, HEX)
        _add(name, text.format(secret), secret)
    login = base64.b64encode(f"me:{some('basic', 14)}".encode()).decode()
    _add("basic header", f"Authorization: Basic {login}", login)
    _add("docker config", f'{{"auths": {{"r.example.org": {{"auth": "{login}"}}}}}}', login)


_add_tokens()
_add_structured()
_add_named()
