#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace router {

/// This system's, as logs and pages show it; `unknown` where it can't be told.
std::string host_name();

/// A field of a log line.
using LogValue = std::variant<std::string, std::int64_t, double, bool>;
struct LogField {
  LogField(std::string_view name_, std::string value_) : name(name_), value(std::move(value_)) {}
  LogField(std::string_view name_, const char* value_) : name(name_), value(std::string(value_)) {}
  LogField(std::string_view name_, std::int64_t value_) : name(name_), value(value_) {}
  LogField(std::string_view name_, std::uint64_t value_)
      : name(name_), value(static_cast<std::int64_t>(value_)) {}
  LogField(std::string_view name_, int value_) : name(name_), value(std::int64_t{value_}) {}
  LogField(std::string_view name_, bool value_) : name(name_), value(value_) {}
  std::string_view name;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

enum class LogLevel : std::uint8_t {
  trace = 10,
  debug = 20,
  info = 30,
  warn = 40,
  error = 50,
  fatal = 60
};

/// The level of that name; info where there is none.
LogLevel log_level_named(std::string_view name);
std::string_view to_string(LogLevel level);

/// Writes bunyan lines (JSON; the `bunyan` tool reads them): an event's name and its fields.
/// Asynchronous: a queue of bounded size and a thread of its own; a full queue drops the oldest
/// lines, which is counted. Of warnings and errors of one event and `reason` 20 a second are
/// written, so that many of one don't hide another; the next
/// one after that second says how many were not (`suppressed`). Any thread. No global: each router
/// has its own.
class Log {
 public:
  /// `descriptor` stays the caller's.
  Log(std::string name, LogLevel level, int descriptor);
  /// Writes what is queued, as far as somebody reads it within a second.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void debug(std::string_view event, LogFields fields = {}) {
    write(LogLevel::debug, event, fields);
  }
  void info(std::string_view event, LogFields fields = {}) { write(LogLevel::info, event, fields); }
  void warn(std::string_view event, LogFields fields = {}) { write(LogLevel::warn, event, fields); }
  void error(std::string_view event, LogFields fields = {}) {
    write(LogLevel::error, event, fields);
  }
  void fatal(std::string_view event, LogFields fields = {}) {
    write(LogLevel::fatal, event, fields);
  }

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  [[nodiscard]] LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const;
  [[nodiscard]] std::uint64_t suppressed() const {
    return suppressed_.load(std::memory_order_relaxed);
  }

 private:
  void write(LogLevel level, std::string_view event, LogFields fields);

  /// Of an event and its reason, within the second that began at `since`.
  struct Recent {
    std::chrono::steady_clock::time_point since;
    std::uint64_t lines = 0, suppressed = 0;
  };
  /// nullopt: too many of them within a second; else how many were left out before.
  std::optional<std::uint64_t> let_pass(const std::string& event);

  struct Sink;
  std::atomic<LogLevel> level_;
  std::atomic<std::uint64_t> suppressed_{0};
  std::mutex mutex_;
  std::map<std::string, Recent, std::less<>> recent_;  // guarded by mutex_
  std::string prefix_;  // name, host name and process id, as JSON members
  std::unique_ptr<Sink> sink_;
};

}  // namespace router
