#include "backends/embedded/embedded_shard.hpp"

#include "backends/embedded/answer.hpp"
#include "json/document.hpp"
#include "objects/arguments.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;

std::string joined(std::span<const std::string_view> pieces) {
  std::string whole;
  for (const std::string_view piece : pieces) whole += piece;
  return whole;
}

/// The RPCs that need no store.
bool answered_at_once(Rpc rpc) {
  return rpc == Rpc::ping || rpc == Rpc::version || rpc == Rpc::sql || rpc == Rpc::listen ||
         rpc == Rpc::unlisten || rpc == Rpc::get_tokens;
}

objects::Result<JsArray> answer_of(Rpc rpc) {
  if (rpc == Rpc::ping || rpc == Rpc::unlisten) return JsArray{};  // nobody can be listening
  if (rpc != Rpc::version) return objects::errors::operation_not_supported();
  JsObject version;
  version.set("version", 2);
  return JsArray{std::move(version)};
}

}  // namespace

EmbeddedShard::EmbeddedShard(boost::asio::io_context& loop, std::shared_ptr<Owner> owner,
                             std::string directory, std::size_t in_flight_max)
    : owner_(std::move(owner)),
      outbox_(std::make_shared<Outbox>(
          loop, [this](std::vector<Message> messages) { deliver(std::move(messages)); },
          [this] { owner_->wake(); })),
      directory_(std::move(directory)), in_flight_max_(in_flight_max) {}

EmbeddedShard::~EmbeddedShard() {
  outbox_->close();
  owner_->cancel_all(*outbox_);
  for (auto& [number, pending] : pending_)
    if (pending.stream) pending.stream->cancelled = true;
  owner_->wake();
}

Task EmbeddedShard::task_of(const Request& request) {
  Task task;
  task.rpc = request.rpc;
  const std::string text = joined(request.pieces);
  json::Document document;
  if (!document.parse(text)) {
    const auto arguments = document.root().find("d");
    if (arguments && arguments->is(json::Type::array))
      task.arguments = *objects::parse_value(*arguments).array();
  }
  task.bytes = bytes_of(task.rpc, task.arguments);
  task.outbox = outbox_;
  task.number = next_number_++;
  if (request.rpc == Rpc::find_objects) task.stream = std::make_shared<Stream>();
  return task;
}

Submitted EmbeddedShard::submit(const Request& request, ReplySink& sink) {
  if (retired_)
    return {std::nullopt, {FailureKind::no_connections, "the embedded shard is being closed"}};
  if (pending_.size() >= in_flight_max_)
    return {std::nullopt,
            {FailureKind::overloaded, "too many requests in flight to the embedded shard"}};
  Task task = task_of(request);
  const std::uint64_t number = task.number;
  const Pending pending{&sink, task.stream, false, {}};
  const auto error = task.rpc == Rpc::sql
                         ? std::nullopt
                         : objects::check_arguments(to_string(task.rpc), task.arguments);
  if (error) {
    answer(task, *error);
  } else if (answered_at_once(task.rpc)) {
    answer(task, answer_of(task.rpc));
  } else if (!owner_->submit(std::move(task))) {
    return {std::nullopt,
            {FailureKind::overloaded, "too many requests are queued at the embedded shard"}};
  }
  pending_.emplace(number, pending);
  return {Ticket{number}, {}};
}

bool EmbeddedShard::cancel(Ticket ticket) {
  const auto found = pending_.find(ticket.number);
  if (found == pending_.end()) return false;
  const bool never_begun = owner_->cancel(*outbox_, ticket.number);
  if (!never_begun && !found->second.stream) return false;
  if (found->second.stream) found->second.stream->cancelled = true;
  pending_.erase(found);
  if (!never_begun) owner_->wake();
  return true;
}

void EmbeddedShard::pause(Ticket ticket) {
  if (const auto found = pending_.find(ticket.number); found != pending_.end())
    found->second.paused = true;
}

void EmbeddedShard::resume(Ticket ticket) {
  const auto found = pending_.find(ticket.number);
  if (found == pending_.end() || !found->second.paused) return;
  found->second.paused = false;
  // By way of the loop, so that no sink is called from inside `resume`.
  if (!found->second.held.empty()) outbox_->send({ticket.number, Message::Kind::go_on, {}, {}});
}

void EmbeddedShard::deliver(std::vector<Message> messages) {
  for (Message& message : messages) {
    const auto found = pending_.find(message.number);
    if (found == pending_.end()) continue;  // cancelled
    const std::uint64_t number = message.number;
    // What a reader has not taken of a stream that fails would stay in memory until it comes back.
    if (message.kind == Message::Kind::failure) found->second.held.clear();
    if (message.kind != Message::Kind::go_on) found->second.held.push_back(std::move(message));
    hand_over_held(number);
  }
}

/// A sink may submit, pause or cancel: the entry is looked up anew for each message.
void EmbeddedShard::hand_over_held(std::uint64_t number) {
  for (auto found = pending_.find(number);
       found != pending_.end() && !found->second.paused && !found->second.held.empty();
       found = pending_.find(number)) {
    Pending& pending = found->second;
    const Message message = std::move(pending.held.front());
    pending.held.pop_front();
    took(pending, message);
    ReplySink& sink = *pending.sink;
    const Reply reply{message.payload, std::nullopt, fast::Version::v2};
    if (message.kind == Message::Kind::data) {
      sink.on_data(reply);
      continue;
    }
    pending_.erase(found);
    if (message.kind == Message::Kind::end) return sink.on_end(reply);
    if (message.kind == Message::Kind::error) return sink.on_error(reply);
    return sink.on_failure(message.failure);
  }
}

void EmbeddedShard::took(const Pending& pending, const Message& message) {
  if (!pending.stream) return;
  const auto bytes = static_cast<std::int64_t>(message.payload.size());
  const std::int64_t before = pending.stream->unread_bytes.fetch_sub(bytes);
  if (before >= Stream::kUnreadLow && before - bytes < Stream::kUnreadLow) owner_->wake();
}

ShardStatus EmbeddedShard::status() const {
  ShardStatus status;
  status.healthy = healthy();
  status.connections = 1;
  status.in_flight = pending_.size();
  status.address = directory_;
  status.last_problem = owner_->problem();
  return status;
}

}  // namespace backends::embedded
