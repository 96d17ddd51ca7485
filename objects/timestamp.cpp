#include "objects/timestamp.hpp"

#include <chrono>
#include <cstdio>

namespace objects {
namespace {

// std::chrono::year has 16 bits, and a JavaScript date reaches the year 275760: what is beyond goes
// by whole cycles of the calendar.
constexpr int kCycleYears = 400;
constexpr int kCycleDays = 146'097;

constexpr std::int64_t kMsMax = 8'640'000'000'000'000;  // of a JavaScript date, either way

/// Reads fixed-width parts of a date from its front.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      number = number * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return number;
  }
  /// Digits of a fraction, at least one; only milliseconds count.
  std::optional<int> fraction() {
    int ms = 0;
    int place = 100;
    std::size_t count = 0;
    for (; count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9'; ++count, place /= 10)
      ms += (rest_[count] - '0') * place;
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    return ms;
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct Parts {
  int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0, offset_minutes = 0;
};

std::optional<Timestamp> assemble(const Parts& p) {
  const bool in_range = p.month >= 1 && p.month <= 12 && p.day >= 1 && p.day <= 31 &&
                        p.hour <= 24 && p.minute <= 59 && p.second <= 59 &&
                        (p.hour < 24 || (p.minute == 0 && p.second == 0 && p.ms == 0));
  if (!in_range) return std::nullopt;
  namespace chrono = std::chrono;
  const int cycles = p.year / kCycleYears;
  const chrono::sys_days first =
      chrono::year_month_day(chrono::year(p.year % kCycleYears),
                             chrono::month(static_cast<unsigned>(p.month)), chrono::day(1));
  const std::int64_t days =
      std::int64_t{cycles} * kCycleDays + first.time_since_epoch().count() + p.day - 1;
  const std::int64_t minutes = (days * 24 + p.hour) * 60 + p.minute - p.offset_minutes;
  const Timestamp time{(minutes * 60 + p.second) * 1000 + p.ms};
  if (time.ms > kMsMax || time.ms < -kMsMax) return std::nullopt;
  return time;
}

/// `YYYY`, or ISO 8601's expanded form, `±YYYYYY`.
bool read_year(Reader& in, Parts& parts) {
  const bool negative = in.take('-');
  const auto year = in.digits(negative || in.take('+') ? 6 : 4);
  if (!year || (negative && *year == 0)) return false;
  parts.year = negative ? -*year : *year;
  return true;
}

bool read_two(Reader& in, int& part) {
  const auto digits = in.digits(2);
  if (digits) part = *digits;
  return digits.has_value();
}

bool read_seconds(Reader& in, Parts& parts) {
  if (!read_two(in, parts.second)) return false;
  if (!in.take('.')) return true;
  const auto ms = in.fraction();
  if (ms) parts.ms = *ms;
  return ms.has_value();
}

/// Nothing, `Z`, or `±hh:mm`.
bool read_zone(Reader& in, Parts& parts) {
  if (in.done() || in.take('Z')) return true;
  const bool west = in.take('-');
  if (!west && !in.take('+')) return false;
  int hours = 0;
  int minutes = 0;
  if (!read_two(in, hours) || !in.take(':') || !read_two(in, minutes)) return false;
  parts.offset_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
  return true;
}

struct Civil {
  int year;
  unsigned month, day;
  int hour, minute, second, ms;
};

Civil civil(Timestamp time) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::milliseconds> at{chrono::milliseconds(time.ms)};
  const auto midnight = chrono::floor<chrono::days>(at);
  const auto cycles = static_cast<int>(midnight.time_since_epoch().count() / kCycleDays);
  const chrono::year_month_day date(midnight - chrono::days(cycles * kCycleDays));
  const chrono::hh_mm_ss clock(at - midnight);
  return {static_cast<int>(date.year()) + cycles * kCycleYears,
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

}  // namespace

std::optional<Timestamp> parse_date(std::string_view text) {
  Reader in(text);
  Parts parts;
  const bool read = read_year(in, parts) && in.take('-') && read_two(in, parts.month) &&
                    in.take('-') && read_two(in, parts.day) && in.take('T') &&
                    read_two(in, parts.hour) && in.take(':') && read_two(in, parts.minute) &&
                    in.take(':') && read_seconds(in, parts) && in.take('Z') && in.done();
  const bool four_digits = parts.year >= -9999 && parts.year <= 9999;
  return read && four_digits ? assemble(parts) : std::nullopt;
}

std::optional<Timestamp> parse_loose_date(std::string_view text) {
  Reader in(text);
  Parts parts;
  if (!read_year(in, parts)) return std::nullopt;
  if (in.take('-') && !read_two(in, parts.month)) return std::nullopt;
  if (in.take('-') && !read_two(in, parts.day)) return std::nullopt;
  if (in.take('T')) {
    if (!read_two(in, parts.hour) || !in.take(':') || !read_two(in, parts.minute))
      return std::nullopt;
    if (in.take(':') && !read_seconds(in, parts)) return std::nullopt;
    if (!read_zone(in, parts)) return std::nullopt;
  }
  return in.done() ? assemble(parts) : std::nullopt;
}

std::string to_iso(Timestamp time) {
  const Civil c = civil(time);
  char buffer[48];
  const char* form = c.year >= 0 && c.year <= 9999 ? "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ"
                                                   : "%+07d-%02u-%02uT%02d:%02d:%02d.%03dZ";
  std::snprintf(buffer, sizeof buffer, form, c.year, c.month, c.day, c.hour, c.minute, c.second,
                c.ms);
  return buffer;
}

std::string to_postgres(Timestamp time) {
  const Civil c = civil(time);
  const bool before_christ = c.year <= 0;
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u %02d:%02d:%02d",
                before_christ ? 1 - c.year : c.year, c.month, c.day, c.hour, c.minute, c.second);
  std::string text = buffer;
  if (c.ms != 0) {
    std::snprintf(buffer, sizeof buffer, ".%03d", c.ms);
    text += buffer;
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + (before_christ ? "+00 BC" : "+00");
}

}  // namespace objects
