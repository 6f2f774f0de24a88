"""Credentials of known shape in a text: a fixed prefix, then a number of certain characters.

The prefixes are facts that the issuers document, as public rule sets collect them: gitleaks
(config/gitleaks.toml), detect-secrets (plugins), GitHub's secret scanning patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .occurrences import FoundSecret, occurrences
from .values import is_placeholder, is_random


@dataclass(frozen=True)
class Shape:
    """The shape of a kind of credential; patterns are compiled when a hint is found first.

    Attributes:
        kind: the name of the kind.
        hint: a text that each credential of the kind holds. Looking for that first is a hundred
            times faster than trying a pattern at each character.
        rest: the pattern after the hint.
        head: the pattern of the part before the hint; empty if a credential begins with the hint.
    """

    kind: str
    hint: str
    rest: str
    head: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern from the hint on."""
        return re.compile(rf"{re.escape(self.hint)}(?:{self.rest})")

    @cached_property
    def before(self) -> re.Pattern[str] | None:
        """The pattern of the part before the hint, up to the hint."""
        return re.compile(rf"{self.head}\Z") if self.head else None


# The rest of a key, line by line, however the ends of lines are written.
_LINES = r"[A-Za-z0-9+/=]{24,}(?:(?:[\s\"',]|\\+n)+[A-Za-z0-9+/=]{16,})*"
# Kind, prefixes, and the pattern of the rest.
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("Age Secret Key", "AGE-SECRET-KEY-1", r"[A-Z0-9]{58}"),
    ("Airtable Token", "pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("Alibaba Access Key", "LTAI", r"[A-Za-z0-9]{16,24}\b"),
    ("Anthropic Key", "sk-ant-", r"[\w-]{20,}"),
    ("Artifactory Token", "AKCp", r"[A-Za-z0-9]{10,}"),
    ("Artifactory Token", "cmVmd", r"[A-Za-z0-9]{59}\b"),
    ("Atlassian Token", "ATATT ATCTT ATBB", r"[\w=.-]{20,}"),
    ("AWS Access Key", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("AWS Session Token", "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz", r"[A-Za-z0-9+/=_-]{20,}"),
    ("Brevo Key", "xkeysib- xsmtpsib-", r"[A-Za-z0-9-]{20,}"),
    ("Buildkite Token", "bkua_", r"[a-f0-9]{40}"),
    ("CircleCI Token", "CCIPAT_ CCIPRJ_", r"\w{40,}"),
    ("Cloudflare Origin CA Key", "v1.0-", r"[a-f0-9]{24}-[a-f0-9]{146}"),
    ("Databricks Token", "dapi", r"[a-f0-9]{32}(?:-\d+)?(?![A-Za-z0-9])"),
    ("DigitalOcean Token", "dop_v1_ doo_v1_ dor_v1_", r"[A-Za-z0-9]{32,}"),
    ("Docker Token", "dckr_pat_ dckr_oat_", r"[\w-]{20,}"),
    ("Doppler Token", "dp.pt. dp.st. dp.ct. dp.sa.", r"[\w.-]{30,}"),
    ("Dropbox Token", "sl.", r"(?:u\.)?[A-Za-z0-9_-]{100,}"),
    ("Dynatrace Token", "dt0c01. dt0s16.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("Facebook Token", "EAAC EAAG EAAB EAAM", r"[A-Za-z0-9]{80,}"),
    ("Figma Token", "figd_ figo_", r"[\w-]{30,}"),
    ("Fly.io Token", "fo1_ FlyV1", r"[\w ,+/=-]{40,}"),
    ("GitHub Token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\w{30,}"),
    ("GitHub Token", "github_pat_", r"\w{20,}"),
    (
        "GitLab Token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glffct- glagent- gloas-",
        r"[\w.-]{18,}",
    ),
    ("GitLab Token", "glimt- glsoat- glwt-", r"[\w.-]{18,}"),
    ("GitLab Runner Token", "GR1348941", r"[\w-]{20,}"),
    ("Google API Key", "AIza", r"[\w-]{30,}"),
    ("Google OAuth Secret", "GOCSPX-", r"[\w-]{20,}"),
    ("Google OAuth Token", "ya29.", r"[\w.-]{20,}"),
    ("Google Refresh Token", "1//0", r"[\w-]{40,}"),
    ("Grafana Token", "glsa_ glc_", r"[\w+/=-]{30,}"),
    ("Grafana Token", "eyJrIjoi", r"[A-Za-z0-9+/=_-]{40,}"),
    ("Groq Key", "gsk_", r"[A-Za-z0-9]{40,}"),
    ("Heroku Token", "HRKU-", r"[\w-]{30,}"),
    ("HubSpot Token", "pat-na1- pat-eu1-", r"[a-f0-9-]{30,}"),
    ("Hugging Face Token", "hf_ api_org_", r"[A-Za-z0-9]{30,}"),
    ("Infracost Token", "ico-", r"[A-Za-z0-9]{32}\b"),
    ("JSON Web Token", "eyJ", r"[\w-]{8,}={0,2}\.[\w-]{4,}={0,2}(?:\.[\w=-]*){1,3}"),
    ("LangSmith Key", "lsv2_pt_ lsv2_sk_", r"[0-9a-f]{32}_[0-9a-f]{10}"),
    ("Linear Token", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{30,}"),
    ("Mailgun Key", "key-", r"[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("Mapbox Secret Token", "sk.eyJ", r"[\w.-]{40,}"),
    ("Netlify Token", "nfp_ nfc_ nfo_", r"[A-Za-z0-9]{36,}"),
    ("New Relic Key", "NRAK- NRII- NRIQ- NRRA- NRJS-", r"[\w-]{19,}"),
    ("Notion Token", "ntn_ secret_", r"[A-Za-z0-9]{40,}"),
    ("npm Token", "npm_", r"[A-Za-z0-9]{36}"),
    ("NVIDIA Key", "nvapi-", r"[\w-]{40,}"),
    ("1Password Token", "ops_eyJ", r"[A-Za-z0-9+/=]{40,}"),
    ("OpenAI Key", "sk-", r"(?:proj|svcacct|admin|None|or-v1|lf)-[\w-]{20,}|[A-Za-z0-9]{32,}"),
    ("Password Hash", "$1$ $5$ $6$ $y$ $apr1$", r"(?:[\w./=]{1,24}\$){1,2}[\w./]{22,}"),
    ("Password Hash", "$2a$ $2b$ $2y$", r"\d\d\$[\w./]{53}"),
    ("Password Hash", "$argon2", r"[id]{1,2}\$[\w=,$+/]{40,}"),
    ("Perplexity Key", "pplx-", r"[A-Za-z0-9]{40,}"),
    ("Pinecone Key", "pcsk_", r"\w{40,}"),
    ("PlanetScale Token", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[\w=.-]{30,}"),
    ("Postman Key", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}"),
    ("Prefect Key", "pnu_ pnb_", r"[A-Za-z0-9]{36,}"),
    ("Pulumi Token", "pul-", r"[a-f0-9]{40}"),
    ("PyPI Token", "pypi-", r"Ag[\w-]{40,}"),
    ("Replicate Token", "r8_", r"[A-Za-z0-9]{36,}"),
    ("RubyGems Token", "rubygems_", r"[a-f0-9]{48}"),
    ("SendGrid Key", "SG.", r"[\w-]{16,32}\.[\w-]{30,64}"),
    ("Sentry Token", "sntrys_ sntryu_", r"[\w+/=-]{40,}"),
    ("Shopify Token", "shpat_ shpca_ shppa_ shpss_", r"[A-Fa-f0-9]{32}"),
    (
        "Slack Token",
        "xoxa- xoxb- xoxp- xoxo- xoxs- xoxr- xoxe- xoxc- xoxd- xoxe.",
        r"[\w.%+/=-]{15,}",
    ),
    ("Slack Token", "xapp-", r"\d-[\w-]{15,}"),
    ("Slack Webhook", "hooks.slack.com/", r"(?:services|workflows|triggers)/[\w/+-]{20,}"),
    ("Discord Webhook", "discord.com/api/webhooks/", r"\d{10,}/[\w-]{40,}"),
    ("Discord Webhook", "discordapp.com/api/webhooks/", r"\d{10,}/[\w-]{40,}"),
    ("Teams Webhook", "webhook.office.com/", r"webhookb2/[\w@/-]{60,}"),
    ("Sourcegraph Token", "sgp_", r"\w{40,}"),
    ("Square Token", "sq0atp- sq0csp- sq0idp-", r"[\w-]{20,}"),
    ("Square Token", "EAAA", r"[\w-]{56,62}(?![\w+/=-])"),
    ("Stripe Key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ whsec_", r"[A-Za-z0-9]{16,}"),
    ("Supabase Token", "sbp_ sb_secret_", r"\w{30,}"),
    ("Tailscale Key", "tskey-", r"[\w-]{20,}"),
    ("Twilio Key", "SK AC", r"[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("Vault Token", "hvs. hvb. hvr.", r"[\w-]{20,}"),
    ("Vercel Token", "vcp_ vck_ vci_ vca_ vcr_", r"[A-Za-z0-9]{24,}"),
    ("xAI Key", "xai-", r"[A-Za-z0-9]{60,}"),
    ("Zapier Webhook", "hooks.zapier.com/hooks/catch/", r"\d+/\w+"),
    # The first bytes of keys in PEM and OpenSSH, should the lines around them be missing.
    ("Private Key", "LS0tLS1CRUdJTi", rf"(?!BDRVJU|BQVUJM){_LINES}"),
    ("Private Key", "b3BlbnNzaC1rZXktdjE", _LINES),
    ("Private Key", "MII", rf"[A-Z][A-Za-z0-9+/][AQgw]IBA[AD][AKN]{_LINES}"),
    ("Private Key", "MHcCAQEEI MIGkAgEBBD MIHcAgEBBE MC4CAQAwBQYDK2Vw", _LINES),
    ("Private Key", "MIGHAgEAMBMGByqGSM49 MIGTAgEAMBMGByqGSM49", _LINES),
)
# A name and a password with a digit, before the host of an address without a scheme.
_LOGIN = r"[\w.+-]{1,64}:(?=[^\s@]{0,64}\d)[^\s:@/\"'<>&;,\\]{6,64}"
# Kind, the part before the hint, the hint, and the rest.
_INNER: tuple[tuple[str, str, str, str], ...] = (
    ("Azure Client Secret", r"[\w~.]{3}\d", "Q~", r"[\w~.-]{31,34}(?![\w~.-])"),
    ("Azure Signature", "", "sig=", r"[A-Za-z0-9%+/]{30,}[A-Za-z0-9%+/=]*"),
    ("Discord Bot Token", r"[MNO][\w-]{22,25}", ".", r"[\w-]{6}\.[\w-]{27,38}(?![\w-])"),
    ("Mailchimp Key", r"[0-9a-f]{32}", "-us", r"\d{1,2}(?![A-Za-z0-9])"),
    ("Password in an Address", rf"(?<!:)//{_LOGIN}", "@", r"[\w-]+\."),
    (
        "Password in an Address",
        rf"(?<![/\w.+-])(?!mailto:){_LOGIN}",
        "@",
        r"(?:[\w-]+\.)+[A-Za-z]{2,}(?::\d+)?/",
    ),
    ("Signed Address", r"[?&;-]", "Signature=", r"[A-Za-z0-9%+/=~_-]{27,}"),
    ("Telegram Bot Token", r"(?:bot)?\d{8,10}", ":", r"[A-Z][\w-]{34}(?![\w-])"),
    ("Terraform Token", r"[A-Za-z0-9]{14}", ".atlasv1.", r"[\w=-]{40,}"),
)


SHAPES = (
    *(Shape(kind, prefix, rest) for kind, prefixes, rest in _TABLE for prefix in prefixes.split()),
    *(Shape(kind, hint, rest, head) for kind, head, hint, rest in _INNER),
)
# An escaped character may stand directly before a credential: \n in JSON, %20 in an address.
_ESCAPE = re.compile(r"(?:\\[abfnrtv]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2})\Z")
# Longest stretch before a hint that may belong to a credential.
_BEFORE = 64
_KEY_BESIDE_ID = re.compile(r"(?<![\w/+-])[A-Za-z0-9/+]{40}(?![\w/+=-])")


def secrets_by_shape(text: str) -> Iterator[FoundSecret]:
    """Yield the credentials whose shape names the issuer."""
    for shape in SHAPES:
        if shape.hint not in text:
            continue
        for at in occurrences(text, shape.hint):
            start = at
            if shape.before:
                before = shape.before.search(text, max(0, at - _BEFORE), at)
                if not before:
                    continue
                start = before.start()
            matched = shape.pattern.match(text, at) if _begins(text, start) else None
            # The parts of a hash are no variables of a shell.
            if matched and not is_placeholder(text[start : matched.end()].rpartition("$")[2]):
                yield FoundSecret(start, matched.end(), shape.kind)
                if shape.kind == "AWS Access Key":
                    key = _KEY_BESIDE_ID.search(text, at, at + 250)
                    if key and is_random(key[0]):
                        yield FoundSecret(key.start(), key.end(), "AWS Secret Key")


def _begins(text: str, at: int) -> bool:
    """Return whether a word may begin at a place."""
    if not (text[at].isalnum() and text[at - 1 : at].isalnum()):
        return True
    return bool(_ESCAPE.search(text, max(0, at - 6), at))
