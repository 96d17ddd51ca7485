#include "router/serve/local_call.hpp"

#include "fast/checksum.hpp"
#include "fast/decoder.hpp"
#include "router/serve/dispatcher.hpp"

namespace router {

void LocalCall::make(Dispatcher& dispatcher, const std::string& payload, Done done) {
  auto* call = new LocalCall(std::move(done));
  fast::Frame frame;
  frame.version = fast::Version::v2;
  frame.status = fast::Status::data;
  frame.message_id = 1;
  frame.payload = payload;
  frame.checksum = fast::checksum(fast::Version::v2, payload);
  dispatcher.begin_batch();
  dispatcher.take(frame, *call);
  call->starting_ = false;
  if (!call->pending_) call->end();
}

void LocalCall::finished(std::uint32_t) {
  pending_ = false;
  if (!starting_) end();
}

void LocalCall::end() {
  LocalAnswer answer;
  fast::Decoder decoder(output_.size() + 1);
  decoder.feed(output_);
  for (fast::Decoded decoded = decoder.next();
       const auto* frame = std::get_if<fast::Frame>(&decoded); decoded = decoder.next()) {
    if (frame->status == fast::Status::data) answer.frames.emplace_back(frame->payload);
    if (frame->status == fast::Status::error) answer.error = std::string(frame->payload);
  }
  const Done done = std::move(done_);
  delete this;
  done(std::move(answer));
}

}  // namespace router
