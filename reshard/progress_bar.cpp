#include "reshard/progress_bar.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace reshard {

std::string time_text(double seconds) {
  char text[32];
  const auto whole = static_cast<std::uint64_t>(std::ceil(seconds));
  if (whole < 60)
    std::snprintf(text, sizeof text, "%llu s", static_cast<unsigned long long>(whole));
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%llu min %02llu s",
                  static_cast<unsigned long long>(whole / 60),
                  static_cast<unsigned long long>(whole % 60));
  else
    std::snprintf(text, sizeof text, "%llu h %02llu min",
                  static_cast<unsigned long long>(whole / 3600),
                  static_cast<unsigned long long>(whole / 60 % 60));
  return text;
}

ProgressBar::ProgressBar(std::string name, std::string what, std::uint64_t total)
    : name_(std::move(name)), what_(std::move(what)), total_(total),
      terminal_(isatty(STDERR_FILENO) != 0), began_(Clock::now()), shown_(began_) {}

ProgressBar::~ProgressBar() { show(true); }

void ProgressBar::add(std::uint64_t count) {
  done_ += count;
  const auto pause = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000);
  if (Clock::now() - shown_ >= pause) show(false);
}

std::string ProgressBar::line(double seconds) const {
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  std::string text = name_ + ": ";
  const std::uint64_t total = std::max(total_, done_);  // an estimate may have been too low
  if (total_ > 0) {
    const auto percent = static_cast<unsigned>(done_ * 100 / total);
    const std::size_t filled = percent / 5;
    text += "[" + std::string(filled, '#') + std::string(20 - filled, '.') + "] " +
            std::to_string(percent) + " %, ";
  }
  text += std::to_string(done_) + " " + what_;
  if (rate >= 1) text += ", " + std::to_string(static_cast<std::uint64_t>(rate)) + " a second";
  if (total_ > 0 && rate > 0 && total > done_)
    text += ", " + time_text(static_cast<double>(total - done_) / rate) + " left";
  return text;
}

void ProgressBar::show(bool last) {
  shown_ = Clock::now();
  const std::string text = line(std::chrono::duration<double>(shown_ - began_).count());
  if (terminal_)
    std::fprintf(stderr, "\r\033[K%s%s", text.c_str(), last ? "\n" : "");
  else
    std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

}  // namespace reshard
