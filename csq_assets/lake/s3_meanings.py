"""What an error of the AWS SDK or an answer of S3 means: the setting at fault, and what to do."""

from dataclasses import dataclass

from botocore import exceptions as sdk

from csq_assets.errors import CsqError, SettingsError, StorageError

ENDPOINT = "AWS_ENDPOINT_URL_S3"
_KEY, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"
_PROFILE, _REGION = "AWS_PROFILE", "AWS_DEFAULT_REGION"
_FIX_PROFILE = f"Correct {_PROFILE} and the profile that it names, or the other AWS_* variables."
_OF_PLACE = "{setting}"


@dataclass(frozen=True, slots=True)
class Place:
    """What is being reached. `setting` is the variable that names its bucket."""

    url: str = ""
    bucket: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of an error whose text has `part`. Where no setting is at fault, a retry may help."""

    setting: str
    remedy: str
    message: str = "{text}"
    part: str = ""

    def error(self, text: str, place: Place) -> CsqError:
        given = {"text": text, "bucket": place.bucket, "url": place.url, "setting": place.setting}
        message, remedy = self.message.format(**given), self.remedy.format(**given)
        if not self.setting:
            return StorageError(message, remedy=remedy)
        setting = self.setting.format(**given)
        return SettingsError(message, where={"setting": setting}, remedy=remedy)


NOT_S3 = Meaning(
    ENDPOINT,
    f"Set {ENDPOINT} to the address of an S3 API, not of a console, a proxy or a sign-in page.",
    "this is not S3: {text}",
)
NOT_USABLE = Meaning(_PROFILE, _FIX_PROFILE, "the AWS settings do not work: {text}")
REQUESTER_PAYS = Meaning("CSQ_REQUEST_PAYER", "Set it to requester.", "{url}: {text}")
DISK_FULL = Meaning("", "Make room in the temporary folder, then run csq sync again.")
UNREACHABLE = Meaning(
    "",
    f"Check the network and {ENDPOINT}, then run csq sync again.",
    "{url} cannot be reached: {text}",
)
ANSWERED = Meaning("", "Run csq sync again.", "{url}: {text}")

_NO_ADDRESS = Meaning(
    ENDPOINT, "Set it to an address such as https://s3.example.com.", part="endpoint"
)

# What is raised before S3 answers: the first that fits counts.
RAISED: dict[type[Exception], Meaning] = {
    sdk.NoCredentialsError: Meaning(
        _KEY,
        f"Set {_KEY} and AWS_SECRET_ACCESS_KEY, {_PROFILE}, or run where a role gives them.",
        "no AWS credentials were found",
    ),
    sdk.PartialCredentialsError: Meaning(
        _KEY, f"Set both {_KEY} and AWS_SECRET_ACCESS_KEY, or neither."
    ),
    sdk.ProfileNotFound: Meaning(_PROFILE, "Correct it, or run aws configure."),
    sdk.ConfigParseError: Meaning("AWS_CONFIG_FILE", "Correct that file."),
    sdk.ConfigNotFound: Meaning("AWS_CONFIG_FILE", "Correct that file."),
    sdk.InvalidRegionError: Meaning(_REGION, "Set it to a region such as us-east-1."),
    sdk.NoRegionError: Meaning(_REGION, "Set it to a region such as us-east-1."),
    sdk.ParamValidationError: Meaning(
        _OF_PLACE,
        "Give s3://bucket, or s3://bucket/prefix.",
        '"{bucket}" cannot be the name of a bucket',
        part="bucket name",
    ),
    sdk.HTTPClientError: Meaning(
        _TOKEN,
        f"Correct {_TOKEN} and {_KEY}.",
        "a credential has a character that cannot be sent, such as a line break",
        part="Invalid header value",
    ),
    sdk.CredentialRetrievalError: Meaning(  # its text is what the process wrote to stderr
        _PROFILE,
        _FIX_PROFILE,
        "the credential_process of the profile failed; run it by hand to see why",
        part="custom-process",
    ),
    EOFError: Meaning(
        _PROFILE, _FIX_PROFILE, "the profile asks for an MFA code, and there is no terminal"
    ),
    sdk.EndpointProviderError: _NO_ADDRESS,
    ValueError: _NO_ADDRESS,
}
OF_CREDENTIALS = (
    sdk.CredentialRetrievalError,
    sdk.InvalidConfigError,
    sdk.MetadataRetrievalError,
    sdk.ParamValidationError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.SSOError,
    sdk.TokenRetrievalError,
    sdk.UnknownCredentialError,
)

# What AWS answers, by its code.
MISSING = ("404", "NoSuchKey", "NotFound")
DENIED = ("403", "AccessDenied", "AllAccessDisabled", "AccountProblem")
_REFUSED = Meaning(
    _KEY,
    f"Correct {_KEY} and AWS_SECRET_ACCESS_KEY, or {_PROFILE}.",
    "the AWS credentials are refused: {text}",
)
_EXPIRED = Meaning(
    _TOKEN,
    "Renew them; for a profile, run aws sso login.",
    "the AWS credentials have expired: {text}",
)
_ELSEWHERE = Meaning(_REGION, "Set it to the region of the bucket.", "{url}: {text}")
_NO_BUCKET = Meaning(
    _OF_PLACE,
    f"Correct the bucket's name in {{setting}}, or {ENDPOINT}.",
    'there is no bucket "{bucket}"',
)
_CODES: tuple[tuple[tuple[str, ...], Meaning], ...] = (
    ((*MISSING, "NoSuchBucket"), _NO_BUCKET),
    (("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"), _REFUSED),
    (("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"), _EXPIRED),
    (("301", "307", "PermanentRedirect", "TemporaryRedirect"), _ELSEWHERE),
    (("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"), _ELSEWHERE),
    (("RequestTimeTooSkewed",), Meaning("", "Set the clock of this machine.", "{url}: {text}")),
    (("InvalidObjectState",), Meaning("", "Restore the object from its archive.", "{url}: {text}")),
)
ANSWERS = {code: meaning for codes, meaning in _CODES for code in codes}
