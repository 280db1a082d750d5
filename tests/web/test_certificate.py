"""A certificate on the settings page: uploaded or made there, described, and never given back."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.crypto import generate_key
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.models import AuditEvent
from flask_ms365.simulator import App, Simulator
from tests.certificates import certificate, expired_certificate, private_half, public_half
from tests.conftest import Clock, Host, HostFactory
from tests.hosts.bare import bare_host
from tests.provider import ISSUER, SUBJECT, Provider
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SETTINGS, error_beside, stored, words

CERTIFICATE, PEM, REMOVE = f"{SETTINGS}/certificate", f"{SETTINGS}/certificate.pem", f"{SETTINGS}/remove-certificate"
WITHOUT_SECRET: dict[str, str | None] = {**FILLED_IN, "client_secret-value": None}
CHOSEN = {**FILLED_IN, "credential-value": "certificate", "credential-use_default": None}


def upload(visitor: Visitor, content: str | bytes, **changes: str | None) -> TestResponse:
    """Choose a file on the settings page and save, as a browser sends it."""
    values = {**controls(visitor.get(SETTINGS).text), **changes}
    sent: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    sent["client_certificate-value"] = (file, "app.pem")
    return visitor.post(SETTINGS, data=sent, content_type="multipart/form-data")


def state_of(page: str) -> str:
    return words(page, r'id="client_certificate-value-stored">(.*?)</p>')


def effective(host: Host, key: str = "client_certificate") -> object:
    with host.app.app_context():
        return host.ms365.settings.effective(key).value


@pytest.fixture
def uploaded(host: Host, visitor: Visitor) -> Visitor:
    """Return the browser of somebody who has uploaded a certificate."""
    assert upload(visitor, certificate(), **FILLED_IN).status_code == 303
    return visitor


# uploading


def test_an_uploaded_certificate_is_stored(host: Host, uploaded: Visitor) -> None:
    assert effective(host) == certificate()


def test_its_file_is_chosen_on_a_form_that_can_carry_it(visitor: Visitor) -> None:
    page = visitor.get(SETTINGS).text
    assert 'enctype="multipart/form-data"' in page
    assert re.search(r'<input [^>]*type="file" id="client_certificate-value" name="client_certificate-value"', page)


def test_a_script_may_send_it_as_text(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "client_certificate-value": certificate()})
    assert effective(host) == certificate()


def test_the_page_says_what_is_stored(uploaded: Visitor) -> None:
    page, known = uploaded.get(SETTINGS).text, read_certificate(certificate())
    assert (state_of(page)[:15], state_of(page)[-6:]) == ("Stored replaced", "by ana")
    shown = words(page, r'id="client_certificate-value-stored">.*?(<dl .*?</dl>)')
    assert f"Thumbprint {known.thumbprint} Subject CN=Host Expires on" in shown
    assert str(known.expires_on.year) in shown


def test_the_page_never_holds_the_key(uploaded: Visitor) -> None:
    key = private_half(certificate()).splitlines()
    page = uploaded.get(SETTINGS).text
    assert [line for line in key if line in page] == []


def test_a_refused_save_does_not_give_it_back(visitor: Visitor) -> None:
    page = upload(visitor, certificate(), **{**FILLED_IN, "tenant_id-value": ".."}).text
    assert ("must be a GUID" in page, "PRIVATE" in page) == (True, False)


@pytest.mark.parametrize("sent", ["", None])
def test_without_a_file_the_stored_one_is_kept(host: Host, uploaded: Visitor, sent: str | None) -> None:
    before = stored(host)["client_certificate"]
    uploaded.submit(SETTINGS, {"client_certificate-value": sent, "tenant_id-value": "fabrikam.com"})
    assert stored(host)["client_certificate"] == before


def test_a_file_input_that_was_left_empty_keeps_the_stored_one(host: Host, uploaded: Visitor) -> None:
    before = stored(host)["client_certificate"]
    values = {**controls(uploaded.get(SETTINGS).text), "client_certificate-value": (io.BytesIO(b""), "")}
    assert uploaded.post(SETTINGS, data=values, content_type="multipart/form-data").status_code == 303
    assert stored(host)["client_certificate"] == before


# fault 59: what is wrong with a credential is told beside its field
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a client secret", "This is not PEM."),
        (b"\x30\x82\x00\xff\xfe\x00 a PFX file", "openssl pkcs12"),
        (public_half(certificate()), "This is the public half only."),
        (private_half(certificate()), "Give one PEM text"),
        (private_half(certificate()) + "\n" + public_half(certificate("Next")), "does not belong to this private key"),
        (expired_certificate(), "This certificate expired on"),
        # fault 27
        (b"A" * 400_000, "This is too long"),
    ],
    # made anew in each process, a key names no test
    ids=["a secret", "PFX", "public half", "private half", "not a pair", "expired", "too long"],
)
def test_what_is_wrong_with_a_file_is_told_beside_it(
    host: Host, visitor: Visitor, content: str | bytes, said: str
) -> None:
    answer = upload(visitor, content)
    assert (answer.status_code, stored(host)) == (200, {})
    assert said in error_beside(answer.text, "client_certificate")
    assert 'href="#client_certificate-value"' in answer.text


def test_without_an_encryption_key_it_is_refused_beside_its_field(tmp_path: Path) -> None:
    page = upload(bare_host(tmp_path).visitor(), certificate(), **WITHOUT_SECRET).text
    assert error_beside(page, "client_certificate").startswith("No encryption key is set")
    assert error_beside(page, "client_secret") == ""


def test_with_another_key_the_page_says_so_and_takes_no_new_one(tmp_path: Path) -> None:
    first = bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())
    upload(first.visitor(), certificate(), **WITHOUT_SECRET)
    host = bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())
    page = host.visitor().get(SETTINGS).text
    assert ("Locked: this database" in page, state_of(page)[:6]) == (True, "Stored")
    assert "Locked: this database" in upload(host.visitor(), certificate("Next")).text


def test_one_of_the_deployment_is_described(make_host: HostFactory) -> None:
    page = make_host(MS365_CLIENT_CERTIFICATE=certificate()).visitor().get(SETTINGS).text
    shown = words(page, r'id="client_certificate-value-inherited">(.*?)</p>')
    thumbprint = read_certificate(certificate()).thumbprint
    assert shown == f"Stored in app.config, thumbprint {thumbprint} (MS365_CLIENT_CERTIFICATE in app.config)"


def test_its_subject_is_shown_as_text(visitor: Visitor) -> None:
    upload(visitor, certificate("<script>alert(1)</script>"))
    assert "<script>alert" not in visitor.get(SETTINGS).text


# the kinds on the page


def test_fields_of_the_other_kinds_say_that_they_are_not_in_use(uploaded: Visitor) -> None:
    said = "Not in use while the credential is: Client secret."
    assert uploaded.get(SETTINGS).text.count(said) == 1
    uploaded.submit(SETTINGS, CHOSEN)
    page = uploaded.get(SETTINGS).text
    assert (page.count(said), page.count("Not in use while the credential is: Certificate.")) == (0, 2)


def test_script_learns_which_field_belongs_to_which_kind(visitor: Visitor) -> None:
    page = visitor.get(SETTINGS).text
    assert re.findall(r'data-ms365-of="(\w+)"', page) == ["secret", "secret", "certificate"]
    assert 'name="credential-value" data-ms365-inherited="secret"' in page


def test_a_field_with_an_error_is_never_hidden(visitor: Visitor) -> None:
    assert 'data-ms365-of="certificate"' not in upload(visitor, "junk").text


# saving and checking


@pytest.fixture
def at_microsoft(simulator: Simulator, registration: App) -> dict[str, str | None]:
    """Return what an admin types for the app that is registered."""
    return {
        **CHOSEN,
        "client_id-value": registration.client_id,
        "tenant_id-value": simulator.tenant_id,
        "client_secret-value": None,
        "then": "check",
    }


def test_a_certificate_that_entra_does_not_know_is_not_saved(
    host: Host, visitor: Visitor, at_microsoft: dict[str, str | None]
) -> None:
    page = upload(visitor, certificate(), **at_microsoft).text
    assert ("AADSTS700027" in page, "Upload the matching certificate" in page) == (True, True)
    assert stored(host) == {}


def test_save_anyway_has_kept_the_certificate(
    host: Host, visitor: Visitor, at_microsoft: dict[str, str | None]
) -> None:
    chain = public_half(certificate("Issuer"))
    page = upload(visitor, certificate() + chain * 10, **at_microsoft).text
    draft = {**controls(page[: page.index("Save anyway")]), "then": "anyway"}
    assert visitor.post(SETTINGS, data=draft).status_code == 303
    assert (effective(host), effective(host, "credential")) == (certificate(), "certificate")


def test_one_that_entra_knows_is_saved_and_checked(
    visitor: Visitor, registration: App, at_microsoft: dict[str, str | None]
) -> None:
    registration.add_certificate(public_half(certificate()))
    answer = upload(visitor, certificate(), **at_microsoft)
    assert answer.status_code == 303
    assert "Microsoft takes client ID and client certificate." in visitor.get(answer.headers["Location"]).text


def test_a_federated_credential_is_saved_and_checked(
    make_host: HostFactory, tmp_path: Path, clock: Clock, registration: App, at_microsoft: dict[str, str | None]
) -> None:
    provider = Provider(is_first=True)
    (tmp_path / "token").write_text(provider.token(clock()))
    visitor = make_host(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "token")).visitor()
    typed = {**at_microsoft, "credential-value": "federated"}
    page = visitor.submit(SETTINGS, typed).text
    assert ("AADSTS70021" in page, f"Subject {SUBJECT}" in words(page, "(<details.*?</details>)")) == (True, True)

    registration.add_federated_credential(ISSUER, SUBJECT, provider.public_pem)
    answer = visitor.submit(SETTINGS, typed)
    assert answer.status_code == 303
    assert "Microsoft takes client ID and federated token." in visitor.get(answer.headers["Location"]).text


# making one


@pytest.fixture
def made(host: Host, visitor: Visitor) -> str:
    """Let the page make a certificate; return the page that follows."""
    answer = visitor.submit(CERTIFICATE, {})
    assert answer.status_code == 303
    return visitor.get(answer.headers["Location"]).text


def test_looking_makes_none(host: Host, visitor: Visitor) -> None:
    assert ("Make a new certificate" in visitor.get(CERTIFICATE).text, stored(host)) == (True, {})


def test_a_new_one_is_stored_for_a_year(host: Host, made: str, clock: Clock) -> None:
    known = read_certificate(str(effective(host)))
    assert (known.subject, known.expires_on) == ("CN=Mail of localhost", (clock() + timedelta(days=365)).date())


def test_the_page_that_follows_has_the_next_steps(host: Host, made: str) -> None:
    thumbprint = read_certificate(str(effective(host))).thumbprint
    assert ("A new certificate is stored" in made, thumbprint in made) == (True, True)
    assert (f'href="{PEM}"' in made, "Credentials/appId/" in made or "ApplicationsListBlade" in made) == (True, True)
    assert "choose Certificate as Credential, then Save and check the connection" in made


def test_the_public_half_is_a_download_that_nobody_keeps(host: Host, visitor: Visitor, made: str) -> None:
    answer = visitor.get(PEM)
    assert answer.text == public_half(str(effective(host)))
    assert answer.headers["Content-Disposition"] == "attachment; filename=microsoft-365-certificate.pem"
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_the_public_half_holds_no_key(visitor: Visitor, made: str) -> None:
    assert "PRIVATE" not in visitor.get(PEM).text


def test_without_a_certificate_there_is_nothing_to_download(visitor: Visitor) -> None:
    assert visitor.get(PEM).status_code == 404


def test_only_admins_make_and_download(host: Host, visitor: Visitor, made: str) -> None:
    host.permissions = {"own_mailbox", "read_mail", "manage_mailboxes"}
    assert [visitor.get(path).status_code for path in (CERTIFICATE, PEM)] == [403, 403]


def test_without_the_pages_token_none_is_made(host: Host, visitor: Visitor) -> None:
    answer = visitor.submit(CERTIFICATE, {"csrf_token": "forged"})
    assert (answer.status_code, "No certificate was made" in answer.text, stored(host)) == (200, True, {})


def test_without_an_encryption_key_none_is_made(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    page = host.visitor().submit(CERTIFICATE, {}).text
    assert ("No certificate was made" in page, "keys generate" in page, stored(host)) == (True, True, {})


def test_a_locked_one_is_not_replaced(make_host: HostFactory) -> None:
    locked = {"MS365_CLIENT_CERTIFICATE": certificate(), "MS365_LOCKED_SETTINGS": ["client_certificate"]}
    host = make_host(**locked)
    page = host.visitor().submit(CERTIFICATE, {}).text
    assert ("fixed by MS365_LOCKED_SETTINGS" in page, stored(host)) == (True, {})


def test_mail_goes_on_while_entra_does_not_know_the_new_one(
    visitor: Visitor, clock: Clock, registration: App, at_microsoft: dict[str, str | None]
) -> None:
    registration.add_certificate(public_half(certificate()))
    upload(visitor, certificate(), **at_microsoft)
    assert "the present one serves until the new one has worked" in visitor.get(CERTIFICATE).text
    visitor.submit(CERTIFICATE, {})
    assert "the certificate it replaced is kept and serves where it fails" in visitor.get(SETTINGS).text
    clock.advance(minutes=1)  # nobody may check again at once
    page = visitor.get(visitor.submit("/ms365/check", {}).headers["Location"]).text
    assert "Microsoft does not take the new certificate yet; the one it replaced still serves." in page

    registration.add_certificate(visitor.get(PEM).text)
    clock.advance(minutes=1)
    page = visitor.get(visitor.submit("/ms365/check", {}).headers["Location"]).text
    assert "Microsoft takes client ID and client certificate." in page


def test_the_audit_log_tells_of_it_without_the_key(host: Host, visitor: Visitor, made: str) -> None:
    thumbprint = read_certificate(str(effective(host))).thumbprint
    assert f"Client Certificate stored, thumbprint {thumbprint}" in visitor.get("/ms365/audit").text
    visitor.submit(CERTIFICATE, {})
    assert "Client Certificate replaced, thumbprint" in visitor.get("/ms365/audit").text
    with host.app.app_context():
        events = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent)).all()
        assert "PRIVATE" not in str([event.detail for event in events])


# giving it up


def test_removing_one_that_is_not_in_use_stops_nothing(host: Host, uploaded: Visitor) -> None:
    assert f'href="{REMOVE}"' in uploaded.get(SETTINGS).text
    assert "It is not in use, so nothing stops." in uploaded.get(REMOVE).text
    uploaded.submit(REMOVE, {})
    assert "client_certificate" not in stored(host)


def test_removing_the_one_in_use_switches_the_sync_off(host: Host, uploaded: Visitor) -> None:
    uploaded.submit(SETTINGS, {**CHOSEN, "email_sync-value": "y"})
    assert "Emails sync is switched off, and nobody can sign in" in uploaded.get(REMOVE).text
    uploaded.submit(REMOVE, {})
    assert ("client_certificate" in stored(host), stored(host)["email_sync"]) == (False, "0")


# its end


def test_every_page_of_admins_says_when_it_ends(uploaded: Visitor, clock: Clock) -> None:
    uploaded.submit(SETTINGS, CHOSEN)
    clock.advance(days=(read_certificate(certificate()).expires_on - clock().date()).days - 12)
    for path in ("/ms365/", SETTINGS, "/ms365/setup", "/ms365/check", "/ms365/audit"):
        page = uploaded.get(path).text
        assert "The client certificate expires in 12 days" in page
        assert f'href="{SETTINGS}#client_certificate-value">Replace it now</a>' in page


def test_the_end_of_one_that_is_not_in_use_is_nobodys_trouble(uploaded: Visitor, clock: Clock) -> None:
    clock.advance(days=400)
    assert "The client certificate" not in uploaded.get("/ms365/").text


@pytest.mark.parametrize(("age", "is_stale"), [(0, False), (3, True)])
def test_a_stale_federated_token_is_pointed_out(
    make_host: HostFactory, tmp_path: Path, clock: Clock, age: int, is_stale: bool
) -> None:
    (tmp_path / "token").write_text(Provider(is_first=True).token(clock() - timedelta(hours=age)))
    visitor = make_host(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "token")).visitor()
    visitor.submit(SETTINGS, {**CHOSEN, "credential-value": "federated"})
    page = visitor.get(SETTINGS).text
    banner, caution = "The federated token in its file has expired", "The federated token in its file expired at"
    assert [each in page for each in (banner, "Look at it", caution)] == [is_stale] * 3


def test_a_token_file_that_holds_nothing_is_pointed_out(make_host: HostFactory, tmp_path: Path) -> None:
    visitor = make_host(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "none")).visitor()
    visitor.submit(SETTINGS, {**CHOSEN, "credential-value": "federated"})
    assert "cannot be read, or holds no token" in visitor.get(SETTINGS).text
