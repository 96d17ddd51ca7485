#include "backends/moray/output.hpp"

#include <algorithm>
#include <utility>

namespace backends::moray {

std::string& Output::next(std::uint32_t message_id, std::size_t frame_bytes, bool prompt,
                          bool held_up) {
  load_.unsent_bytes += frame_bytes;
  const bool fits = string_.empty() || string_.size() + frame_bytes <= kStringBytesMax;
  if (queue_.empty() && !held_up && fits) {
    if (frame_bytes > kStringBytesMax) string_.reserve(frame_bytes);
    if (prompt) ++prompt_in_string_;
    return string_;
  }
  queued_bytes_ += frame_bytes;
  if (prompt) ++prompt_in_queue_;
  queue_.push_back({message_id, prompt, frame_bytes, {}});
  places_.emplace(message_id, std::prev(queue_.end()));
  queue_.back().text.reserve(frame_bytes);
  return queue_.back().text;
}

std::string_view Output::pending() {
  if (string_.empty()) refill();
  return std::string_view(string_).substr(written_);
}

void Output::refill() {
  if (queue_.empty()) return;
  if (queue_.front().bytes >= kStringBytesMax) {
    string_ = std::move(queue_.front().text);
    if (queue_.front().prompt) ++prompt_in_string_;
    leave_queue(queue_.begin());
    return;
  }
  string_.reserve(std::min(kStringBytesMax, queued_bytes_));
  while (!queue_.empty() && string_.size() + queue_.front().bytes <= kStringBytesMax) {
    string_.append(queue_.front().text);
    if (queue_.front().prompt) ++prompt_in_string_;
    leave_queue(queue_.begin());
  }
}

void Output::wrote(std::size_t bytes) {
  written_ += bytes;
  bytes_written_ += bytes;
  load_.unsent_bytes -= bytes;
  if (written_ == string_.size()) empty_string();
}

void Output::empty_string() {
  string_.clear();
  written_ = 0;
  prompt_in_string_ = 0;
  if (string_.capacity() > kStringBytesMax) string_.shrink_to_fit();
}

Output::Queue::iterator Output::leave_queue(Queue::iterator frame) {
  queued_bytes_ -= frame->bytes;
  if (frame->prompt) --prompt_in_queue_;
  places_.erase(frame->message_id);
  return queue_.erase(frame);
}

bool Output::take_back(std::uint32_t message_id) {
  const auto place = places_.find(message_id);
  if (place == places_.end()) return false;
  load_.unsent_bytes -= place->second->bytes;
  leave_queue(place->second);
  return true;
}

std::vector<std::uint32_t> Output::clear() {
  std::vector<std::uint32_t> unsent;
  unsent.reserve(queue_.size());
  for (const Frame& frame : queue_) unsent.push_back(frame.message_id);
  load_.unsent_bytes -= bytes();
  queue_.clear();
  places_.clear();
  queued_bytes_ = prompt_in_queue_ = 0;
  empty_string();
  return unsent;
}

}  // namespace backends::moray
