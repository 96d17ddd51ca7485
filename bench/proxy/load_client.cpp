#include "bench/proxy/load_client.hpp"

#include <cerrno>

#include <sys/socket.h>

namespace bench {
namespace {

constexpr unsigned kPlaceBits = 20;
constexpr std::uint32_t kPlaceMask = (1u << kPlaceBits) - 1;
constexpr std::uint32_t kRounds = 1u << (31 - kPlaceBits);

}  // namespace

LoadClient::LoadClient(std::uint16_t port, fast::Version version, const Workload& workload,
                       Tally& tally)
    : socket_(connect_to(port)), version_(version), workload_(workload), tally_(tally) {}

void LoadClient::ask(Kind kind, std::uint32_t key, std::uint64_t due) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t place = free_.back();
  free_.pop_back();
  round_ = round_ + 1 == kRounds ? 1 : round_ + 1;
  const std::uint32_t message_id = round_ << kPlaceBits | (place & kPlaceMask);
  pending_[place] = {due, message_id, key, 0, kind, false};
  ++outstanding_;
  workload_.append_request(output_.bytes(), version_, message_id, kind, key);
}

std::size_t LoadClient::read(std::vector<char>& buffer, std::uint64_t now) {
  const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (received <= 0) {
    if (received == 0 || (errno != EAGAIN && errno != EINTR)) lose();
    return 0;
  }
  decoder_.feed({buffer.data(), static_cast<std::size_t>(received)});
  const std::size_t before = outstanding_;
  fast::Decoded decoded = decoder_.next();
  for (; const auto* frame = std::get_if<fast::Frame>(&decoded); decoded = decoder_.next()) {
    if (take(*frame, now)) continue;
    lose();
    return 0;
  }
  if (std::holds_alternative<fast::DecodeFailure>(decoded)) {
    lose();
    return 0;
  }
  decoder_.settle();
  return before - outstanding_;
}

/// False: an answer to nothing that was asked, or of another version.
bool LoadClient::take(const fast::Frame& frame, std::uint64_t now) {
  const std::uint32_t place = frame.message_id & kPlaceMask;
  if (frame.version != version_ || place >= pending_.size() ||
      pending_[place].message_id != frame.message_id)
    return false;
  Pending& pending = pending_[place];
  if (frame.status == fast::Status::data) {
    if (!workload_.good_data(pending.kind, pending.key, pending.rows++, frame.payload))
      pending.wrong = true;
    return true;
  }
  const bool refused = frame.status == fast::Status::error && pending.rows == 0 &&
                       frame.payload.find(R"("name":"OverloadedError")") != std::string_view::npos;
  const bool whole = frame.status == fast::Status::end && frame.payload.ends_with(R"("d":[]})") &&
                     pending.rows == workload_.data_frames(pending.kind);
  if (refused) {
    if (tally_.measuring) ++tally_.refused;
  } else if (tally_.measuring) {
    ++tally_.done;
    if (!whole || pending.wrong) ++tally_.failed;
    tally_.latency.add(now - pending.due);
  } else if (!whole || pending.wrong) {
    ++tally_.failed;
  }
  pending.message_id = 0;
  free_.push_back(place);
  --outstanding_;
  return true;
}

void LoadClient::flush() {
  if (!lost_ && !output_.flush(socket_.get())) lose();
}

void LoadClient::lose() {
  if (lost_) return;
  lost_ = true;
  tally_.failed += outstanding_ + 1;
  socket_ = Descriptor();
}

}  // namespace bench
