#include "router/log/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "fast/error_payload.hpp"

namespace router {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kQueueLines = 8192;
constexpr std::size_t kPiece = 4096;  // that a pipe takes at once where it takes any
constexpr int kLook = 100;            // milliseconds
constexpr std::chrono::seconds kLastLines{1};
constexpr std::uint64_t kLinesASecond = 20;
constexpr std::size_t kEventsMost = 256;

/// Whole lines, each by one write where the system takes it.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string_view left(message.payload.data(), message.payload.size());
    while (!left.empty()) {
      if (!writable()) return;
      const ssize_t written = ::write(descriptor_, left.data(), std::min(left.size(), kPiece));
      if (written <= 0 && errno != EINTR) return;  // a log that can't be written stops nobody
      if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void flush_() override {}

 public:
  /// From now on a reader that takes nothing is waited for until then.
  void end_by(Clock::time_point when) { end_ = when; }

 private:
  /// Whether a piece can be written without waiting: a pipe whose reader stands still would keep
  /// us, and the process's end, for as long as it likes.
  [[nodiscard]] bool writable() const {
    pollfd waited{descriptor_, POLLOUT, 0};
    for (;;) {
      const int ready = poll(&waited, 1, kLook);
      if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
      if (Clock::now() >= end_.load()) return false;
    }
  }

  int descriptor_;
  std::atomic<Clock::time_point> end_{Clock::time_point::max()};
};

/// ISO 8601 in UTC with milliseconds.
std::string timestamp() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[80];
  std::snprintf(
      text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
      static_cast<int>(duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000));
  return text;
}

void append_member(std::string& line, std::string_view name, const LogValue& value) {
  line += ',';
  fast::append_json_string(line, name);
  line += ':';
  if (const auto* text = std::get_if<std::string>(&value))
    fast::append_json_string(line, *text);
  else if (const auto* number = std::get_if<std::int64_t>(&value))
    line += std::to_string(*number);
  else if (const auto* real = std::get_if<double>(&value))
    line += std::to_string(*real);
  else
    line += std::get<bool>(value) ? "true" : "false";
}

}  // namespace

std::string host_name() {
  char name[256] = "unknown";
  gethostname(name, sizeof name - 1);
  return name;
}

LogLevel log_level_named(std::string_view name) {
  if (name == "trace") return LogLevel::trace;
  if (name == "debug") return LogLevel::debug;
  if (name == "warn") return LogLevel::warn;
  if (name == "error") return LogLevel::error;
  if (name == "fatal") return LogLevel::fatal;
  return LogLevel::info;
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return "trace";
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
    case LogLevel::fatal: return "fatal";
  }
  return "";
}

struct Log::Sink {
  std::shared_ptr<DescriptorSink> descriptor;
  std::shared_ptr<spdlog::async_logger> logger;
  std::shared_ptr<spdlog::details::thread_pool>
      pool;  // goes first: its thread writes to the logger
};

Log::Log(std::string name, LogLevel level, int descriptor)
    : level_(level), sink_(std::make_unique<Sink>()) {
  prefix_ = "{\"name\":";
  fast::append_json_string(prefix_, name);
  prefix_ += ",\"hostname\":";
  fast::append_json_string(prefix_, host_name());
  prefix_ += ",\"pid\":" + std::to_string(getpid()) + ",\"level\":";

  sink_->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  sink_->descriptor = std::make_shared<DescriptorSink>(descriptor);
  sink_->logger = std::make_shared<spdlog::async_logger>(
      name, sink_->descriptor, sink_->pool, spdlog::async_overflow_policy::overrun_oldest);
  sink_->logger->set_level(spdlog::level::trace);  // ours decides
}

Log::~Log() { sink_->descriptor->end_by(Clock::now() + kLastLines); }

namespace {

/// What is counted together.
std::string event_of(std::string_view event, LogFields fields) {
  std::string all(event);
  for (const LogField& field : fields)
    if (const auto* text = std::get_if<std::string>(&field.value); text && field.name == "reason")
      all += '\n' + *text;
  return all;
}

}  // namespace

std::uint64_t Log::dropped() const { return sink_->pool->overrun_counter(); }

std::optional<std::uint64_t> Log::let_pass(const std::string& event) {
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  if (recent_.size() >= kEventsMost && !recent_.contains(event)) recent_.clear();
  auto found = recent_.find(event);
  if (found == recent_.end()) found = recent_.emplace(event, Recent{now, 0, 0}).first;
  Recent& recent = found->second;
  const bool anew = now - recent.since >= std::chrono::seconds(1);
  if (anew) recent.lines = 0;
  if (recent.lines >= kLinesASecond) {
    ++recent.suppressed;
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  if (recent.lines++ == 0) recent.since = now;
  return anew ? std::exchange(recent.suppressed, 0) : 0;
}

void Log::write(LogLevel level, std::string_view event, LogFields fields) {
  if (level < this->level()) return;
  std::uint64_t left_out = 0;
  if (level >= LogLevel::warn) {
    const auto passed = let_pass(event_of(event, fields));
    if (!passed) return;
    left_out = *passed;
  }
  std::string line = prefix_ + std::to_string(static_cast<int>(level));
  for (const LogField& field : fields) append_member(line, field.name, field.value);
  if (left_out > 0) append_member(line, "suppressed", static_cast<std::int64_t>(left_out));
  append_member(line, "msg", std::string(event));
  append_member(line, "time", timestamp());
  line += ",\"v\":0}\n";
  sink_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace router
