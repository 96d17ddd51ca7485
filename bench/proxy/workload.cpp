#include "bench/proxy/workload.hpp"

#include <array>

#include "fast/encoder.hpp"

namespace bench {
namespace {

constexpr std::string_view kDirectory = "/c0ffee00-0000-4000-8000-000000000001/stor/bench/";
constexpr std::size_t kDigits = 6;
constexpr std::string_view kObject = "/object";
constexpr std::size_t kKeyBytes = kDirectory.size() + kDigits + kObject.size();

constexpr std::string_view kFewOptions =
    R"({"req_id":"c0ffee00-0000-4000-8000-00000000000a","noCache":true)";
// What node-moray sends along.
constexpr std::string_view kAllOptions =
    R"({"req_id":"c0ffee00-0000-4000-8000-00000000000a","headers":{},"no_count":false,"sql_only":false,"noCache":true)";

constexpr std::string_view kGet =
    R"({"m":{"uts":1700000000000000,"name":"getObject"},"d":["manta",")";
constexpr std::string_view kPut =
    R"({"m":{"uts":1700000000000000,"name":"putObject"},"d":["manta",")";
constexpr std::string_view kFind =
    R"x({"m":{"uts":1700000000000000,"name":"findObjects"},"d":["manta","(dirname=/bench)",)x";
constexpr std::string_view kBatch = R"({"m":{"uts":1700000000000000,"name":"batch"},"d":[[)";

constexpr std::string_view kGetAnswer =
    R"({"m":{"uts":1700000000000001,"name":"getObject"},"d":[{"bucket":"manta","key":")";
constexpr std::string_view kPutAnswer =
    R"({"m":{"uts":1700000000000001,"name":"putObject"},"d":[{"etag":")";
constexpr std::string_view kFindAnswer =
    R"({"m":{"uts":1700000000000001,"name":"findObjects"},"d":[{"bucket":"manta","key":")";
constexpr std::string_view kBatchAnswer =
    R"({"m":{"uts":1700000000000001,"name":"batch"},"d":[{"etags":[)";

constexpr std::string_view kRecordEnd =
    R"(,"vnode":426},"_id":1,"_etag":"63F9EAE3","_mtime":1700000000000,"_txn_snap":1,"_count":1}]})";

/// A number's digits in hexadecimal, with a fixed width.
class Digits {
 public:
  explicit Digits(std::uint32_t number) {
    for (std::size_t i = kDigits; i-- > 0; number >>= 4) text_[i] = "0123456789abcdef"[number & 15];
  }
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, kDigits> text_;
};

bool is_digits(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool stands_at(std::string_view payload, std::size_t at, std::string_view text) {
  return payload.size() >= at && payload.substr(at, text.size()) == text;
}

/// The digits of the key that stands at `at`.
std::optional<std::string_view> key_at(std::string_view payload, std::size_t at) {
  if (!stands_at(payload, at, kDirectory) ||
      !stands_at(payload, at + kDirectory.size() + kDigits, kObject))
    return std::nullopt;
  const std::string_view digits = payload.substr(at + kDirectory.size(), kDigits);
  return is_digits(digits) ? std::optional(digits) : std::nullopt;
}

void append_end(std::string& out, const fast::Frame& request, std::string_view name) {
  const std::string_view pieces[] = {R"({"m":{"uts":1700000000000002,"name":")", name,
                                     R"("},"d":[]})"};
  fast::append_frame(out, request.version, fast::Status::end, request.message_id, pieces);
}

}  // namespace

Workload::Workload(WorkloadOptions options) : options_(options), value_(R"({"payload":")") {
  value_.append(options.value_bytes, 'x');
  value_ += '"';
  options_text_ = options.node_moray ? kAllOptions : kFewOptions;
  get_suffix_ = "\"," + options_text_ + "}]}";
  put_suffix_ = "\"," + value_ + "}," + options_text_;
  if (options.node_moray)
    put_suffix_ +=
        R"(,"_value":"{\"payload\":\")" + std::string(options.value_bytes, 'x') + R"(\"}")";
  put_suffix_ += "}]}";
  get_answer_suffix_ = std::string("\",\"value\":") + value_ + std::string(kRecordEnd);
}

void Workload::append_request(std::string& out, fast::Version version, std::uint32_t message_id,
                              Kind kind, std::uint32_t key) const {
  const Digits digits(key);
  if (kind == Kind::get || kind == Kind::put) {
    const std::string_view pieces[] = {kind == Kind::get ? kGet : kPut, kDirectory, digits.text(),
                                       kObject, kind == Kind::get ? get_suffix_ : put_suffix_};
    fast::append_frame(out, version, fast::Status::data, message_id, pieces);
    return;
  }
  std::string payload(kind == Kind::find ? kFind : kBatch);
  if (kind == Kind::find) {
    payload += options_text_;
    payload.append(",\"hashkey\":\"").append(kDirectory).append(digits.text()).append("\"}]}");
  } else {
    for (std::uint32_t i = 0; i < kBatchSize; ++i) {
      if (i > 0) payload += ',';
      payload.append("{\"bucket\":\"manta\",\"operation\":\"put\",\"key\":\"")
          .append(kDirectory)
          .append(digits.text());
      payload.append(kObject)
          .append(std::to_string(i))
          .append("\",\"value\":")
          .append(value_)
          .append("}}");
    }
    payload.append("],").append(options_text_).append("}]}");
  }
  fast::append_frame(out, version, fast::Status::data, message_id, payload);
}

std::optional<Kind> Workload::append_answer(std::string& out, const fast::Frame& request) const {
  const auto send = [&](std::initializer_list<std::string_view> pieces) {
    fast::append_frame(out, request.version, fast::Status::data, request.message_id,
                       {pieces.begin(), pieces.size()});
  };
  const std::string_view payload = request.payload;
  if (payload.starts_with(kGet)) {
    const auto digits = key_at(payload, kGet.size());
    if (!digits) return std::nullopt;
    send({kGetAnswer, kDirectory, *digits, kObject, get_answer_suffix_});
    append_end(out, request, "getObject");
    return Kind::get;
  }
  if (payload.starts_with(kPut)) {
    const auto digits = key_at(payload, kPut.size());
    if (!digits || !stands_at(payload, kPut.size() + kKeyBytes + 2, value_)) return std::nullopt;
    send({kPutAnswer, *digits, "00\"}]}"});
    append_end(out, request, "putObject");
    return Kind::put;
  }
  if (payload.starts_with(kFind)) {
    for (std::uint32_t row = 0; row < options_.rows; ++row)
      send({kFindAnswer, kDirectory, Digits(row).text(), kObject, get_answer_suffix_});
    append_end(out, request, "findObjects");
    return Kind::find;
  }
  const std::size_t key = payload.find(kDirectory);
  if (!payload.starts_with(kBatch) || key == std::string_view::npos) return std::nullopt;
  const auto digits = key_at(payload, key);
  if (!digits) return std::nullopt;
  std::string etags;
  for (std::uint32_t i = 0; i < kBatchSize; ++i) {
    if (i > 0) etags += ',';
    etags.append("{\"bucket\":\"manta\",\"key\":\"")
        .append(kDirectory)
        .append(*digits)
        .append(kObject);
    etags.append(std::to_string(i)).append("\",\"etag\":\"63F9EAE3\"}");
  }
  send({kBatchAnswer, etags, "]}]}"});
  append_end(out, request, "batch");
  return Kind::batch;
}

bool Workload::good_data(Kind kind, std::uint32_t key, std::uint32_t row,
                         std::string_view payload) const {
  const auto digits_at = [&](std::size_t at, std::uint32_t number) {
    return stands_at(payload, at, Digits(number).text());
  };
  switch (kind) {
    case Kind::get:
    case Kind::find: {
      const std::size_t at = (kind == Kind::get ? kGetAnswer : kFindAnswer).size();
      return stands_at(payload, at, kDirectory) &&
             digits_at(at + kDirectory.size(), kind == Kind::get ? key : row) &&
             stands_at(payload, at + kKeyBytes + 10, value_);
    }
    case Kind::put: return digits_at(kPutAnswer.size(), key);
    case Kind::batch: {
      const std::size_t at = payload.rfind(kDirectory);
      return at != std::string_view::npos && digits_at(at + kDirectory.size(), key) &&
             stands_at(payload, at + kKeyBytes, std::to_string(kBatchSize - 1));
    }
  }
  return false;
}

}  // namespace bench
