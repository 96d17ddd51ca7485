#include "backends/moray/progress.hpp"

#include <algorithm>
#include <utility>

namespace backends::moray {
namespace {

std::string in_seconds(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

/// What became due between two looks counts from the second: never suspected too early.
void Progress::Lull::look(bool due, std::uint64_t wholes, std::uint64_t bytes, Milliseconds passed,
                          std::uint64_t bytes_per_second_min) {
  const bool was_due = std::exchange(due_, due);
  const auto length = static_cast<std::uint64_t>((lasts_ + passed).count());
  if (due && was_due && wholes == wholes_ &&
      (bytes - bytes_) * 1000 < bytes_per_second_min * length) {
    lasts_ += passed;
    return;
  }
  wholes_ = wholes;
  bytes_ = bytes;
  lasts_ = Milliseconds(0);
}

void Progress::look(const Sight& sight, Time now) {
  const auto since = std::chrono::duration_cast<Milliseconds>(now - looked_.value_or(now));
  // A look may be late by a little; by more, and it was this process that was late.
  const Milliseconds passed = std::min(since, 2 * options_.look_every);
  looked_ = now;
  answers_.look(sight.answers_due, sight.answers, sight.bytes_read, passed,
                options_.bytes_per_second_min);
  output_.look(sight.output_due, 0, sight.bytes_written, passed, options_.bytes_per_second_min);
  // Answers to others are no progress here: only fewer of them are.
  given_up_count_ = sight.given_up;
  given_up_.look(sight.given_up > options_.given_up_max, 0, 0, passed, 1);
}

bool Progress::suspect() const {
  return answers_.lasts() >= options_.suspect_after || output_.lasts() >= options_.suspect_after ||
         given_up_count_ > options_.given_up_max;
}

bool Progress::hopeless() const {
  return std::max({answers_.lasts(), output_.lasts(), given_up_.lasts()}) >= options_.give_up_after;
}

std::string Progress::problem() const {
  if (!suspect()) return {};
  if (std::max(answers_.lasts(), output_.lasts()) < options_.suspect_after)
    return std::to_string(given_up_count_) + " requests were given up and are not answered";
  return answers_.lasts() >= output_.lasts()
             ? "no answer for " + in_seconds(answers_.lasts())
             : "nothing is taken for " + in_seconds(output_.lasts());
}

}  // namespace backends::moray
