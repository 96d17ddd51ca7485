#include "router/serve/single_exchange.hpp"

#include "router/plan/errors.hpp"
#include "router/plan/reply_edit.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/dispatch_context.hpp"
#include "router/serve/shard_choice.hpp"

namespace router {
namespace {

constexpr std::uint8_t kAttemptsMax = 2;
constexpr int kTriesMax = 4;  // of shards, where any will do, for one without a line
constexpr std::size_t kRetainedBytesKept = 4096;

}  // namespace

SingleExchange& SingleExchange::make(DispatchContext& context, Origin origin) {
  SingleExchange* exchange;
  if (context.spare.empty()) {
    exchange = new SingleExchange(context);
  } else {
    exchange = context.spare.back().release();
    context.spare.pop_back();
  }
  exchange->open(std::move(origin));
  return *exchange;
}

void SingleExchange::start(std::optional<ToShard> target, Edits& edits, const fast::Frame& frame) {
  any_shard_ = !target;
  if (target) target_ = *target;
  await_answer();
  if (any_shard_) choose_shard();
  // Others may have nothing to do.
  for (int tries = 0; any_shard_ && tries < kTriesMax && must_wait(number(target_.pnode)); ++tries)
    choose_shard();
  if (waits_for_turn(number(target_.pnode), frame.payload)) return;
  backends::Request request;
  request.ring = origin().ring->snapshot->ring->digest();
  request.rpc = origin().method->rpc;
  request.stream = origin().method->stream;
  request.affinity = target && target->vnode ? number(*target->vnode) : 0;
  request.pieces = edits.pieces(frame.payload);
  request.checksum_version = frame.version;
  if (edits.empty())
    request.checksum = frame.checksum;
  else if (frame.version == fast::Version::v2)
    request.checksum = edits.checksum(frame.payload, frame.checksum);
  if (origin().method->retryable)
    for (const std::string_view piece : request.pieces) retained_.append(piece);
  submit_somewhere(request);
}

void SingleExchange::choose_shard() {
  const std::size_t choice = choose_healthy(origin().ring->shards, context_.random_state, shard_);
  target_ = ToShard{static_cast<ring::PnodeIndex>(choice), std::nullopt};
}

/// The place that every request to rows of one shard comes by, planned just now, held, or sent once
/// more: the lease is asked here, by its own clock, however long ago the control was heard of.
void SingleExchange::submit_somewhere(backends::Request& request) {
  ++attempts_;
  shard_ = origin().ring->shards[number(target_.pnode)];
  if (!any_shard_) {
    const Method& method = *origin().method;
    if (method.write || method.reads_rows())
      request.lease = serving_lease(*origin().ring->snapshot, target_.pnode, target_.vnode);
    if (request.lease != nullptr && request.lease->over()) return refuse_unserved();
    if (method.write) request.lease.reset();
  }
  submit(request);
}

bool SingleExchange::submit(const backends::Request& request) {
  const auto elsewhere = [&] {
    if (!any_shard_ || attempts_ >= kAttemptsMax || origin().ring->shards.size() < 2) return false;
    backends::Request again = request;
    choose_shard();
    submit_somewhere(again);
    return true;
  };
  if (!room_at(number(target_.pnode))) {
    if (elsewhere()) return true;
    if (context_.cells != nullptr) context_.cells->over_budget();
    write_error(
        errors::shard_over_budget(origin().ring->snapshot->pnodes[number(target_.pnode)].name));
    close_client(true);
    release();
    return false;
  }
  const backends::Submitted submitted = shard_->submit(request, *this);
  if (context_.cells != nullptr) context_.cells->shard_request(number(target_.pnode));
  ticket_ = submitted.ticket;
  if (ticket_) {
    begin_part(part_, number(target_.pnode));
    if (origin().method->write)
      context_.leases.begin(lease_, target_.vnode,
                            origin().ring->snapshot->pnodes[number(target_.pnode)].name);
    if (origin().method->reads_rows())
      context_.reads.begin(read_, *origin().ring, origin().started);
    return true;
  }
  if (elsewhere()) return true;
  answer_failure(submitted.failure);
  return false;
}

void SingleExchange::forget_ticket(bool answered) {
  ticket_.reset();
  part_.end(answered);
}

/// Its vnodes may be another shard's by now. The gate has said nothing of that yet: the control may
/// be late, or stand still.
void SingleExchange::refuse_unserved() {
  const bool write = origin().method->write;
  if (write && context_.cells != nullptr) context_.cells->write_refused();
  write_error(write ? errors::read_only_vnodes() : errors::not_served());
  close_client(true);
  release();
}

void SingleExchange::retry() {
  if (answered()) {
    release();
    return;
  }
  Planned planned = plan_again();
  if (const auto* reject = std::get_if<Reject>(&planned.decision)) {
    fail(reject->error);
    release();
    return;
  }
  if (const auto* shard = std::get_if<ToShard>(&planned.decision)) target_ = *shard;
  if (any_shard_) choose_shard();
  send_again(planned.edits);
}

void SingleExchange::aim(const Planned& planned) {
  if (const auto* shard = std::get_if<ToShard>(&planned.decision)) target_ = *shard;
  if (any_shard_) choose_shard();
}

void SingleExchange::send_held(Planned& planned) {
  aim(planned);
  const bool once = !origin().method->retryable;
  send_again(planned.edits);
  if (once) std::string().swap(retained_);  // it may be large
}

void SingleExchange::send_again(Edits& edits) {
  backends::Request request;
  request.ring = origin().ring->snapshot->ring->digest();
  request.rpc = origin().method->rpc;
  request.stream = origin().method->stream;
  request.affinity = target_.vnode ? number(*target_.vnode) : 0;
  request.pieces = edits.pieces(retained_);
  submit_somewhere(request);
}

std::size_t SingleExchange::relay_values(fast::Status status, const backends::Reply& reply) {
  const Origin& from = origin();
  if (status == fast::Status::end && is_plain_end(reply.payload, from.method->name)) {
    const std::string_view pieces[] = {reply.payload};
    write_frame(status, pieces, reply.version == from.version ? reply.checksum : std::nullopt);
    return 0;
  }
  context_.reply_edits.clear();
  const auto values =
      context_.reply.parse(reply.payload)
          ? std::nullopt
          : edit_reply(*from.method, reply.payload, context_.reply.root(),
                       ReplyOrigin{from.ring->snapshot.get(), target_.vnode, target_.pnode},
                       context_.reply_edits);
  if (!values) {
    fail(errors::bad_payload("shard sent a malformed reply"));
    return 0;
  }
  const bool swallowed = from.method->reply_edit == ReplyEdit::drop;
  if (status == fast::Status::data && (swallowed || values->count == 0)) return 0;
  if (status == fast::Status::end && swallowed && values->count > 0) {
    write_end();
    return 0;
  }
  if (!from.method->write && !from.client->answer_fits(reply.payload.size())) {
    if (context_.cells != nullptr) context_.cells->answer_dropped();
    fail(errors::answer_dropped(reply.payload.size()));
    return 0;
  }
  // Values in an END frame are delivered as DATA before an END of our own.
  const fast::Status relayed = values->count > 0 ? fast::Status::data : status;
  const auto pieces = context_.reply_edits.pieces(reply.payload);
  std::optional<std::uint16_t> checksum;
  if (reply.checksum && reply.version == from.version) {
    if (context_.reply_edits.empty())
      checksum = reply.checksum;
    else if (reply.version == fast::Version::v2)
      checksum = context_.reply_edits.checksum(reply.payload, *reply.checksum);
  }
  write_frame(relayed, pieces, checksum);
  if (relayed != status) write_end();
  return values->count;
}

void SingleExchange::on_data(const backends::Reply& reply) {
  data_seen_ = true;
  context_.reads.end(read_);
  if (answered()) return;
  relay_values(fast::Status::data, reply);
  if (answered() || !origin().method->stream) return;
  if (!client_is_full()) {
    await_more();
    return;
  }
  // While the client is slow, the shard's silence is our doing.
  await_nothing();
  if (!paused_) shard_->pause(*ticket_);
  paused_ = true;
  part_.pause();
}

/// The lease ends first, so that a `block` that waits for it goes on before the client has its
/// answer.
void SingleExchange::end_lease(const backends::Failure* failure) {
  if (!lease_.running()) return;
  const bool sent =
      failure != nullptr && (failure->kind == backends::FailureKind::connection_lost ||
                             failure->kind == backends::FailureKind::bad_reply);
  if (!sent) {
    context_.leases.end(lease_);
    return;
  }
  context_.leases.lose(lease_, Clock::now());
  if (context_.cells != nullptr) context_.cells->write_lost();
}

void SingleExchange::on_end(const backends::Reply& reply) {
  forget_ticket(true);
  context_.reads.end(read_);
  end_lease();
  if (!answered()) {
    relay_values(fast::Status::end, reply);
    close_client(false);
  }
  release();
}

void SingleExchange::on_error(const backends::Reply& reply) {
  forget_ticket(true);
  context_.reads.end(read_);
  end_lease();
  if (context_.cells != nullptr) context_.cells->shard_error(number(target_.pnode));
  if (!answered()) {
    if (context_.reply.parse(reply.payload) || !valid_error(context_.reply.root())) {
      write_error(errors::bad_payload("shard sent a malformed error"));
    } else if (const auto refusal = fence_refusal(context_.reply.root())) {
      if (context_.cells != nullptr) context_.cells->write_fenced();
      write_error(errors::read_only(*refusal));
    } else {
      const std::string_view pieces[] = {reply.payload};
      write_frame(fast::Status::error, pieces,
                  reply.version == origin().version ? reply.checksum : std::nullopt);
    }
    close_client(true);
  }
  release();
}

bool SingleExchange::may_retry(const backends::Failure& failure) const {
  if (answered() || data_seen_ || attempts_ >= kAttemptsMax || !origin().method->retryable)
    return false;
  return failure.kind == backends::FailureKind::connection_lost ||
         (any_shard_ && failure.kind == backends::FailureKind::no_connections);
}

void SingleExchange::on_failure(const backends::Failure& failure) {
  forget_ticket(false);
  context_.reads.end(read_);
  end_lease(&failure);
  if (!may_retry(failure)) {
    answer_failure(failure);
    return;
  }
  lost_ = failure;
  // Not from here: the shard is in the middle of failing all that it had in flight.
  if (context_.retries.empty() && context_.schedule_retries != nullptr)
    context_.schedule_retries(context_.worker);
  context_.retries.push_back(this);
}

/// Where nobody was there for a second attempt, the first one's end is the news.
void SingleExchange::answer_failure(const backends::Failure& failure) {
  if (context_.cells != nullptr) context_.cells->shard_error(number(target_.pnode));
  const bool nobody = failure.kind == backends::FailureKind::no_connections;
  write_error(errors::from_failure(lost_ && nobody ? *lost_ : failure, origin().method->stream));
  close_client(true);
  release();
}

/// Answers with an error; the shard may still know our sink, and never end what it sends.
void SingleExchange::fail(const fast::Error& error) {
  write_error(error);
  close_client(true);
  if (ticket_)
    give_up_soon();
  else
    await_nothing();
}

void SingleExchange::answer_late() {
  write_error(errors::deadline(origin().deadline.value_or(elapsed()),
                               origin().ring->snapshot->pnodes[number(target_.pnode)].name,
                               origin().method->name, elapsed()));
  close_client(true);
  if (in_line()) return leave_line();
  give_up_shard();
}

void SingleExchange::abandon() {
  if (held()) return drop_held();
  if (in_line()) return leave_line();
  forget_client();
  await_nothing();
  give_up_shard();
}

/// A write that was sent is never cancelled, and neither is one of unknown state: its answer is
/// swallowed when it comes.
void SingleExchange::give_up_shard() {
  context_.reads.end(read_);  // nobody hears its answer
  if (!ticket_) return;       // a retry is due: it finds the client gone
  if (paused_) resume();
  if (!shard_->cancel(*ticket_)) return part_.leave_place();
  forget_ticket(false);
  end_lease();  // a write that can be cancelled was never sent
  release();
}

void SingleExchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!ticket_) return;
  part_.go_on();
  shard_->resume(*ticket_);
  if (!answered()) await_more();
}

void SingleExchange::release() {
  over();
  shard_ = nullptr;
  target_ = {};
  any_shard_ = paused_ = data_seen_ = false;
  attempts_ = 0;
  lost_.reset();
  retained_.clear();
  if (retained_.capacity() > kRetainedBytesKept) retained_.shrink_to_fit();
  context_.spare.emplace_back(this);
}

}  // namespace router
