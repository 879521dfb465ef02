"""AWS calls that are charged one by one: requests, characters, pictures, pages. What a scan reads nobody can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from comptroller.core.action import Action, Value
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.cost import UNKNOWN, Cost
from comptroller.price.reading import mapping, sequence, size_of, text

COMPREHEND_CHARS_PER_UNIT = 100
COMPREHEND_UNITS_MIN = 3
TRANSLATE_DOCUMENT_CHARS_MAX = 100_000
TRANSCRIBE_MINUTES_MAX = 480
TEXTRACT_PAGES_MAX = 3000
TRANSITIONS_MAX = 25_000
SMS_CHARS_PER_PART = 67
SMS_PARTS_MAX = 30
PAGE_FEATURES = ("TABLES", "FORMS", "QUERIES", "SIGNATURES", "LAYOUT")

_Price = Callable[[Action, Bill], Cost]


def unbounded(action: Action, bill: Bill) -> Cost:
    """Charged by what the service reads or does afterwards: no request tells how much."""
    return Cost(once=UNKNOWN, basis="charged by how much it reads; nobody can say before")


def _each(sku: str, count: Callable[[Action], int | Decimal] | None = None) -> _Price:
    def price(action: Action, bill: Bill) -> Cost:
        bill.once(sku, 1 if count is None else count(action))
        return bill.cost()

    return price


def _characters(*names: str) -> Callable[[Action], int]:
    """Bytes of the named texts: no character is shorter than a byte."""
    return lambda action: max(1, sum(size_of(action.parameters.get(name)) for name in names))


def _comprehend(action: Action) -> int:
    documents = [text(item) for item in sequence(action.parameters.get("TextList"))]
    documents = documents or [text(action.parameters.get("Text"))]
    return sum(max(COMPREHEND_UNITS_MIN, -(-size_of(one) // COMPREHEND_CHARS_PER_UNIT)) for one in documents)


def s3_write(action: Action, bill: Bill) -> Cost:
    """A request that writes or lists; into a class for rare use it costs up to ten times as much."""
    plain = action.parameters.get("StorageClass") in (None, "STANDARD")
    bill.once("s3:write-request", 1 if plain else 10, least=1)
    return bill.cost()


def translate_document(action: Action, bill: Bill) -> Cost:
    """A document of at most 100,000 characters."""
    bill.once("translate:char", TRANSLATE_DOCUMENT_CHARS_MAX, least=1)
    return bill.cost("at most 100,000 characters")


def polly(action: Action, bill: Bill) -> Cost:
    """Speech, by the character and the kind of voice."""
    engine = action.parameters.get("Engine", "standard")
    bill.once(f"polly:{engine if isinstance(engine, str) else ''}", _characters("Text")(action), least=1)
    return bill.cost()


def textract(action: Action, bill: Bill) -> Cost:
    """Pages with every feature that is asked for; an asynchronous job up to the most pages a document may have."""
    name = action.operation.rpartition(":")[2]
    pages = TEXTRACT_PAGES_MAX if name.startswith("Start") else 2 if name == "AnalyzeID" else 1
    kinds = {
        "DetectDocumentText": ("TEXT",), "StartDocumentTextDetection": ("TEXT",), "AnalyzeExpense": ("EXPENSE",),
        "StartExpenseAnalysis": ("EXPENSE",), "AnalyzeID": ("ID",), "StartLendingAnalysis": ("LENDING",),
    }.get(name)  # fmt: skip
    wanted = [text(item) for item in sequence(action.parameters.get("FeatureTypes"))]
    for kind in kinds or [item for item in wanted if item in PAGE_FEATURES] or PAGE_FEATURES:
        bill.once(f"textract:{kind.lower()}", pages, least=1)
    return bill.cost(f"at most {pages} pages")


def transcribe(action: Action, bill: Bill) -> Cost:
    """A recording of the longest length there is."""
    medical = "Medical" in action.operation
    bill.once("transcribe:medical-minute" if medical else "transcribe:minute", TRANSCRIBE_MINUTES_MAX, least=0)
    return bill.cost("at most eight hours")


def send_email(action: Action, bill: Bill) -> Cost:
    """Messages, each recipient counted, and their bytes."""
    members = action.parameters
    people = _recipients(mapping(members.get("Destination"))) + len(sequence(members.get("Destinations")))
    for item in (*sequence(members.get("Destinations")), *sequence(members.get("BulkEmailEntries"))):
        people += _recipients(mapping(mapping(item).get("Destination")))
    if not people and not ("RawMessage" in members or "Content" in members):
        raise Unpriced("recipients")
    bill.once("ses:message", people or 50, least=1)
    bill.once("ses:gb", Decimal(action.call.payload_bytes) * (people or 50) / 10**9, least=0)
    return bill.cost()


def publish(action: Action, bill: Bill) -> Cost:
    """A notification; one to a telephone number at the dearest country's price."""
    bill.once("sns:request", max(1, -(-action.call.payload_bytes // 65_536)))
    if action.parameters.get("PhoneNumber") is not None:
        parts = -(-max(1, size_of(action.parameters.get("Message"))) // SMS_CHARS_PER_PART)
        bill.once("sns:sms-part", min(parts, SMS_PARTS_MAX), least=0)
    return bill.cost("deliveries come on top")


def put_log_events(action: Action, bill: Bill) -> Cost:
    """Log data, by the byte."""
    bill.once("logs:gb", (Decimal(action.call.payload_bytes) + 1024) / 10**9)
    return bill.cost()


def invalidation(action: Action, bill: Bill) -> Cost:
    """Paths taken out of a cache; the first thousand of a month are free."""
    batch = mapping(action.parameters.get("InvalidationBatch"))
    items = sequence(mapping(batch.get("Paths")).get("Items"))
    bill.once("cloudfront:invalidation", max(1, len(items)), least=0)
    return bill.cost()


def state_machine(action: Action, bill: Bill) -> Cost:
    """An execution has at most 25,000 events; what it calls is charged where it is called."""
    bill.once("states:transition", TRANSITIONS_MAX, least=1)
    return bill.cost("at most 25,000 transitions; what it calls comes on top")


def _requests(unit_bytes: int = 65_536) -> Callable[[Action], int]:
    return lambda action: max(1, -(-action.call.payload_bytes // unit_bytes))


def _entries(name: str) -> Callable[[Action], int]:
    return lambda action: max(1, len(sequence(action.parameters.get(name))))


def _recipients(destination: Mapping[str, Value]) -> int:
    return sum(len(sequence(destination.get(name))) for name in ("ToAddresses", "CcAddresses", "BccAddresses"))


_S3_WRITES = (
    "PutObject CopyObject CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload "
    "ListObjects ListObjectsV2 ListObjectVersions ListMultipartUploads ListParts ListBuckets PutObjectTagging "
    "PutObjectAcl"
)
_S3_READS = "GetObject HeadObject GetObjectTagging GetObjectAcl GetObjectAttributes HeadBucket"
_COMPREHEND = (
    "DetectSentiment DetectEntities DetectKeyPhrases DetectDominantLanguage DetectSyntax DetectPiiEntities "
    "DetectTargetedSentiment ContainsPiiEntities BatchDetectSentiment BatchDetectEntities BatchDetectKeyPhrases "
    "BatchDetectDominantLanguage BatchDetectSyntax BatchDetectTargetedSentiment"
)
_PICTURES = (
    "DetectLabels DetectFaces DetectModerationLabels DetectText RecognizeCelebrities CompareFaces IndexFaces "
    "SearchFacesByImage SearchUsersByImage DetectProtectiveEquipment SearchFaces"
)
_KMS = (
    "Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateMac VerifyMac DescribeKey "
    "GenerateRandom"
)
_KMS_ASYMMETRIC = "Sign Verify GetPublicKey DeriveSharedSecret"
_UNBOUNDED = (
    "athena:StartQueryExecution logs:StartQuery s3:SelectObjectContent s3:RestoreObject timestream-query:Query "
    "cloudtrail:StartQuery glacier:InitiateJob dynamodb:ExportTableToPointInTime translate:StartTextTranslationJob "
    "comprehend:StartSentimentDetectionJob comprehend:StartEntitiesDetectionJob comprehend:StartKeyPhrasesDetectionJob "
    "comprehend:StartDominantLanguageDetectionJob comprehend:StartPiiEntitiesDetectionJob "
    "macie2:CreateClassificationJob comprehend:StartTopicsDetectionJob comprehend:StartDocumentClassificationJob "
    "polly:StartSpeechSynthesisTask "
    "rekognition:StartLabelDetection rekognition:StartFaceDetection rekognition:StartContentModeration "
    "rekognition:StartCelebrityRecognition rekognition:StartPersonTracking rekognition:StartTextDetection "
    "rekognition:StartSegmentDetection rekognition:StartFaceSearch mediaconvert:CreateJob"
)

PRICED: Mapping[str, _Price] = {
    **{f"aws:s3:{name}": s3_write for name in _S3_WRITES.split()},
    **{f"aws:s3:{name}": _each("s3:read-request") for name in _S3_READS.split()},
    **{f"aws:comprehend:{name}": _each("comprehend:unit", _comprehend) for name in _COMPREHEND.split()},
    **{f"aws:rekognition:{name}": _each("rekognition:image") for name in _PICTURES.split()},
    **{f"aws:kms:{name}": _each("kms:request") for name in _KMS.split()},
    **{f"aws:kms:{name}": _each("kms:asymmetric-request") for name in _KMS_ASYMMETRIC.split()},
    "aws:kms:GenerateDataKeyPair": _each("kms:key-pair"),
    "aws:kms:GenerateDataKeyPairWithoutPlaintext": _each("kms:key-pair"),
    **{
        f"aws:textract:{name}": textract
        for name in (
            "DetectDocumentText", "AnalyzeDocument", "AnalyzeExpense", "AnalyzeID", "StartDocumentTextDetection",
            "StartDocumentAnalysis", "StartExpenseAnalysis", "StartLendingAnalysis",
        )
    },
    "aws:translate:TranslateText": _each("translate:char", _characters("Text")),
    "aws:translate:TranslateDocument": translate_document,
    "aws:polly:SynthesizeSpeech": polly,
    "aws:transcribe:StartTranscriptionJob": transcribe,
    "aws:transcribe:StartCallAnalyticsJob": transcribe,
    "aws:transcribe:StartMedicalTranscriptionJob": transcribe,
    "aws:ses:SendEmail": send_email,
    "aws:ses:SendRawEmail": send_email,
    "aws:ses:SendTemplatedEmail": send_email,
    "aws:ses:SendBulkTemplatedEmail": send_email,
    "aws:sesv2:SendEmail": send_email,
    "aws:sesv2:SendBulkEmail": send_email,
    "aws:sns:Publish": publish,
    "aws:sns:PublishBatch": _each("sns:request", _entries("PublishBatchRequestEntries")),
    "aws:sqs:SendMessage": _each("sqs:request", _requests()),
    "aws:sqs:SendMessageBatch": _each("sqs:request", _requests()),
    "aws:sqs:ReceiveMessage": _each("sqs:request", lambda action: 16),
    "aws:sqs:DeleteMessage": _each("sqs:request"),
    "aws:events:PutEvents": _each("events:event", _requests()),
    "aws:stepfunctions:StartExecution": state_machine,
    "aws:stepfunctions:StartSyncExecution": state_machine,
    "aws:secretsmanager:GetSecretValue": _each("secretsmanager:request"),
    "aws:cloudwatch:GetMetricData": _each("cloudwatch:metric-request", lambda action: 500),
    "aws:logs:PutLogEvents": put_log_events,
    "aws:cloudfront:CreateInvalidation": invalidation,
    **{f"aws:{name}": unbounded for name in _UNBOUNDED.split()},
}  # fmt: skip
"""Operation -> its price."""
