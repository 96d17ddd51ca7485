#include "router/serve/fan_out.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "router/plan/reply_edit.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/dispatch_context.hpp"

namespace router {
namespace {

std::string string_member(json::Value object, std::string_view name) {
  std::string scratch;
  const auto value = object.find(name);
  return value && value->is(json::Type::string) ? std::string(value->string(scratch)) : "";
}

std::string text_member(json::Value object, std::string_view name, std::string otherwise) {
  const auto value = object.find(name);
  return value ? std::string(value->text()) : otherwise;
}

fast::Error error_of(json::Document& document, std::string_view payload) {
  if (document.parse(payload) || !valid_error(document.root()))
    return errors::bad_payload("shard sent a malformed error");
  const json::Value d = *document.root().find("d");
  fast::Error error;
  error.name = string_member(d, "name");
  error.message = string_member(d, "message");
  error.context = text_member(d, "context", "{}");
  error.info = text_member(d, "info", "{}");
  error.ase_errors = text_member(d, "ase_errors", "");
  return error;
}

std::optional<double> number_member(json::Value object, std::string_view name) {
  const auto value = object.find(name);
  if (!value || !value->is(json::Type::number)) return std::nullopt;
  return std::strtod(std::string(value->text()).c_str(), nullptr);
}

std::string whole_number(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(number)).ptr;
  return {text, end};
}

}  // namespace

FanOut& FanOut::make(DispatchContext& context, Origin origin) {
  auto* whole = new FanOut(context);
  whole->open(std::move(origin));
  return *whole;
}

backends::Shard& FanOut::shard_of(const Leg& leg) const {
  return *origin().ring->shards[leg.pnode_];
}

void FanOut::send_held(Planned&) { start(retained_, std::nullopt, fast::Version::v2); }

void FanOut::release() {
  over();
  delete this;
}

void FanOut::start(std::string_view payload, std::optional<std::uint16_t> checksum,
                   fast::Version checksum_version) {
  const auto& leased = origin().ring->snapshot->leased;
  if (origin().method->write && leased != nullptr && leased->lease->over()) {
    // As the gate refuses it for any blocked vnode.
    if (context_.cells != nullptr) context_.cells->write_refused();
    write_error(errors::read_only_vnodes());
    close_client(true);
    release();
    return;
  }
  await_answer();
  for (std::size_t i = 0; i < origin().ring->shards.size(); ++i)
    legs_.push_back(std::make_unique<Leg>(*this, i));
  if (takes_two_steps()) {
    if (payload.data() != retained_.data()) retained_.assign(payload);
    // A block waits for all of it, from now on.
    for (const auto& leg : legs_)
      context_.leases.begin(leg->lease_, std::nullopt,
                            origin().ring->snapshot->pnodes[leg->pnode_].name);
    asking_ = true;
    ask_next();
    return;
  }
  const std::string_view pieces[] = {payload};
  backends::Request request;
  request.pieces = pieces;
  request.checksum = checksum;
  request.checksum_version = checksum_version;
  send(request);
}

backends::Submitted FanOut::submit(Leg& leg, const backends::Request& request) {
  backends::Request wanted = request;
  wanted.ring = origin().ring->snapshot->ring->digest();
  wanted.rpc = origin().method->rpc;
  wanted.stream = origin().method->stream;
  wanted.two_steps = asking_;
  if (!room_at(leg.pnode_)) {
    if (context_.cells != nullptr) context_.cells->over_budget();
    add_error(leg, errors::shard_over_budget(origin().ring->snapshot->pnodes[leg.pnode_].name));
    return {};
  }
  if (context_.cells != nullptr) context_.cells->shard_request(leg.pnode_);
  backends::Submitted submitted = shard_of(leg).submit(wanted, leg);
  leg.ticket_ = submitted.ticket;
  if (leg.ticket_) begin_part(leg.part_, leg.pnode_);
  if (!leg.ticket_)
    add_error(leg, errors::from_failure(submitted.failure, origin().method->stream));
  return submitted;
}

/// To all; to those that have said that they are ready the word to go on.
void FanOut::send(const backends::Request& request) {
  starting_ = true;
  pending_ = legs_.size();
  for (const auto& leg : legs_) {
    if (leg->ticket_) {
      shard_of(*leg).proceed(*leg->ticket_);
      continue;
    }
    if (submit(*leg, request).ticket) {
      if (origin().method->write && !leg->lease_.running())
        context_.leases.begin(leg->lease_, std::nullopt,
                              origin().ring->snapshot->pnodes[leg->pnode_].name);
      continue;
    }
    context_.leases.end(leg->lease_);
    --pending_;
  }
  starting_ = false;
  if (pending_ == 0) finish();
}

void FanOut::take_values(Leg& leg, const backends::Reply& reply) {
  if (answered()) return;
  Edits& edits = context_.reply_edits;
  edits.clear();
  std::optional<ReplyValues> values;
  if (!context_.reply.parse(reply.payload))
    values =
        edit_reply(*origin().method, reply.payload, context_.reply.root(), ReplyOrigin{}, edits);
  if (!values) {
    add_error(leg, errors::bad_payload("shard sent a malformed reply"));
    return;
  }
  if (values->count == 0 || origin().method->reply_edit == ReplyEdit::drop) return;
  if (origin().method->rpc == backends::Rpc::reindex_objects) {
    add_counts();
    return;
  }
  if (!origin().method->write && !origin().client->answer_fits(reply.payload.size())) {
    if (context_.cells != nullptr) context_.cells->answer_dropped();
    write_error(errors::answer_dropped(reply.payload.size()));
    close_client(true);
    give_up_soon();
    return;
  }
  const bool untouched = edits.empty() && reply.version == origin().version;
  write_frame(fast::Status::data, edits.pieces(reply.payload),
              untouched ? reply.checksum : std::nullopt);
}

/// reindexObjects: the shards' counts are added up. The reply is parsed already.
void FanOut::add_counts() {
  for (const json::Value value : context_.reply.root().find("d")->elements()) {
    if (!value.is(json::Type::object)) continue;
    processed_ += number_member(value, "processed").value_or(0);
    if (const auto remaining = number_member(value, "remaining"))
      remaining_ = remaining_.value_or(0) + *remaining;
  }
}

void FanOut::add_error(const Leg& leg, fast::Error error) {
  if (context_.cells != nullptr) context_.cells->shard_error(leg.pnode_);
  errors_.push_back({origin().ring->snapshot->pnodes[leg.pnode_].name, std::move(error)});
}

void FanOut::leg_done(Leg& leg, bool by_shard) {
  leg.ticket_.reset();
  leg.part_.end(by_shard);
  context_.leases.end(leg.lease_);
  if (asking_) return leg_refused(leg);
  --pending_;
  if (pending_ == 0 && !starting_) {
    finish();
  } else if (!answered() && origin().method->stream) {
    await_next();
  }
}

void FanOut::finish() {
  const bool failed = !errors_.empty();
  if (failed) {
    write_error(errors::multi(errors_));
  } else {
    if (origin().method->rpc == backends::Rpc::reindex_objects) {
      std::string value = "{\"processed\":" + whole_number(processed_);
      if (remaining_) value += ",\"remaining\":" + whole_number(*remaining_);
      write_values(value + "}");
    }
    write_end();
  }
  close_client(failed);
  release();
}

std::string FanOut::pending_pnodes() const {
  std::string names;
  for (const auto& leg : legs_) {
    if (!leg->ticket_) continue;
    if (!names.empty()) names += ", ";
    names += origin().ring->snapshot->pnodes[leg->pnode_].name;
  }
  return names;
}

void FanOut::answer_late() {
  write_error(errors::deadline(origin().deadline.value_or(elapsed()), pending_pnodes(),
                               origin().method->name, elapsed()));
  close_client(true);
  abandon();
}

void FanOut::abandon() {
  if (held()) {
    drop_held();
    return;
  }
  forget_client();
  await_nothing();
  if (asking_) {
    take_back();
    return release();
  }
  resume();
  // Of a write, what was not sent yet; the rest is never cancelled.
  for (const auto& leg : legs_) {
    if (!leg->ticket_ || !shard_of(*leg).cancel(*leg->ticket_)) continue;
    leg->ticket_.reset();
    leg->part_.end(false);
    context_.leases.end(leg->lease_);
    --pending_;
  }
  if (pending_ == 0) release();
}

/// The deadline is each shard's, to its first answer; the idle limit holds once all were heard.
void FanOut::await_next() {
  if (std::any_of(legs_.begin(), legs_.end(), [](const auto& leg) { return leg->paused_; })) return;
  const bool all_heard = std::all_of(legs_.begin(), legs_.end(),
                                     [](const auto& leg) { return leg->heard_ || !leg->ticket_; });
  if (all_heard)
    await_more();
  else
    await_answer();
}

void FanOut::resume() {
  if (held()) return;  // it has sent nothing yet, and its limit is the gate's
  for (const auto& leg : legs_) {
    if (!leg->paused_ || !leg->ticket_) continue;
    leg->paused_ = false;
    shard_of(*leg).resume(*leg->ticket_);
  }
  if (!answered() && origin().method->stream) await_next();
}

void FanOut::Leg::on_data(const backends::Reply& reply) {
  heard_ = true;
  whole_.take_values(*this, reply);
  if (whole_.answered() || !whole_.origin().method->stream) return;
  if (!whole_.client_is_full()) {
    whole_.await_next();
    return;
  }
  whole_.await_nothing();
  if (!paused_) whole_.shard_of(*this).pause(*ticket_);
  paused_ = true;
}

void FanOut::Leg::on_end(const backends::Reply& reply) {
  whole_.take_values(*this, reply);
  whole_.leg_done(*this, true);
}

void FanOut::Leg::on_error(const backends::Reply& reply) {
  whole_.add_error(*this, error_of(whole_.context_.reply, reply.payload));
  whole_.leg_done(*this, true);
}

void FanOut::Leg::on_failure(const backends::Failure& failure) {
  const bool sent = !whole_.asking_ && (failure.kind == backends::FailureKind::connection_lost ||
                                        failure.kind == backends::FailureKind::bad_reply);
  if (sent && lease_.running()) {
    whole_.context_.leases.lose(lease_, Clock::now());
    if (whole_.context_.cells != nullptr) whole_.context_.cells->write_lost();
  }
  whole_.add_error(*this, errors::from_failure(failure, whole_.origin().method->stream));
  whole_.leg_done(*this, false);
}

}  // namespace router
