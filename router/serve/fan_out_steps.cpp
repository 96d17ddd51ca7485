// The first of the two steps in which buckets are changed at several shards.
#include <algorithm>

#include "router/serve/dispatch_context.hpp"
#include "router/serve/fan_out.hpp"

namespace router {

/// One shard refuses for itself.
bool FanOut::takes_two_steps() const {
  const backends::Rpc rpc = origin().method->rpc;
  const bool changes_buckets = rpc == backends::Rpc::create_bucket ||
                               rpc == backends::Rpc::update_bucket ||
                               rpc == backends::Rpc::del_bucket;
  return changes_buckets && legs_.size() > 1 &&
         std::any_of(legs_.begin(), legs_.end(),
                     [this](const auto& leg) { return shard_of(*leg).takes_two_steps(); });
}

/// The next shard's first step; after the last, the second step of all, or of none where one has
/// refused: then, too, all are asked, since clients are told each shard's reason.
void FanOut::ask_next() {
  const std::string_view pieces[] = {retained_};
  backends::Request request;
  request.pieces = pieces;
  for (; asked_ < legs_.size(); ++asked_) {
    Leg& leg = *legs_[asked_];
    if (shard_of(leg).takes_two_steps() && submit(leg, request).ticket) return;
  }
  if (!errors_.empty()) {
    take_back();
    return finish();
  }
  asking_ = false;
  send(request);
}

void FanOut::leg_ready() {
  if (!asking_) return;
  ++asked_;
  ask_next();
}

/// It has refused; or it was ready, and has lost its connection since, while another is asked.
void FanOut::leg_refused(const Leg& leg) {
  if (&leg != legs_[asked_].get()) return;
  ++asked_;
  ask_next();
}

/// Nothing is changed anywhere: shards that have said that they are ready are told to forget it.
void FanOut::take_back() {
  asking_ = false;
  for (const auto& leg : legs_) {
    context_.leases.end(leg->lease_);
    if (!leg->ticket_) continue;
    shard_of(*leg).cancel(*leg->ticket_);
    leg->ticket_.reset();
    leg->part_.end(false);
  }
}

}  // namespace router
