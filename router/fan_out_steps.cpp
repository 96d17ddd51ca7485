// The first of the two steps in which buckets are changed at several shards.
#include <algorithm>

#include "router/dispatch_context.hpp"
#include "router/fan_out.hpp"

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

/// The next shard's first step; after the last, the second step of all.
void FanOut::ask_next() {
  const std::string_view pieces[] = {retained_};
  backends::Request request;
  request.pieces = pieces;
  while (asked_ < legs_.size() && !shard_of(*legs_[asked_]).takes_two_steps()) ++asked_;
  if (asked_ == legs_.size()) {
    asking_ = false;
    return send(request);
  }
  if (submit(*legs_[asked_], request).ticket) return;
  take_back();
  finish();
}

void FanOut::leg_ready() {
  if (!asking_) return;
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
  }
}

}  // namespace router
