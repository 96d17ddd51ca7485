#include "router/reply_edit.hpp"

#include <string>

#include "router/json_edits.hpp"

namespace router {
namespace {

void erase_vnode(Edits& edits, std::string_view payload, json::Value row, std::string_view name) {
  for (const json::Member member : row.members())
    if (member.named(name) && member.value.is(json::Type::object))
      erase_members(edits, payload, member.value, "vnode");
}

void append_node(Edits& edits, std::string_view payload, json::Value row, const ReplyOrigin& origin) {
  if (!origin.vnode) return;
  const ring::Vnode vnode = *origin.vnode;
  std::string node = "\"_node\":{\"pnode\":";
  node += origin.snapshot->pnodes[number(origin.pnode)].quoted_name;
  node += ",\"vnode\":";
  node += std::to_string(number(vnode));
  node += ",\"data\":";
  node += origin.snapshot->ring->data_json(vnode);
  node += '}';
  append_member(edits, payload, row, node);
}

void edit_value(ReplyEdit kind, std::string_view payload, json::Value value, const ReplyOrigin& origin,
                Edits& edits) {
  if (!value.is(json::Type::object)) return;
  switch (kind) {
    case ReplyEdit::none:
    case ReplyEdit::drop: return;
    case ReplyEdit::add_node: append_node(edits, payload, value, origin); return;
    case ReplyEdit::object:
    case ReplyEdit::record:
      if (value.find("_handledOptions")) return;
      erase_vnode(edits, payload, value, "value");
      erase_vnode(edits, payload, value, "_value");
      if (kind == ReplyEdit::object) append_node(edits, payload, value, origin);
      return;
  }
}

/// Clients die of a null value: it is cut out with one neighbouring comma.
class NullEraser {
 public:
  NullEraser(Edits& edits, std::string_view payload) : edits_(edits), payload_(payload) {}

  void see(json::Value value) {
    const std::size_t begin = begin_of(payload_, value);
    if (open_) edits_.erase(open_begin_, begin);
    open_ = false;
    if (!value.is(json::Type::null)) {
      kept_before_ = true;
    } else if (kept_before_) {
      edits_.erase(previous_end_, end_of(payload_, value));
    } else {
      open_ = true;
      open_begin_ = begin;
    }
    previous_end_ = end_of(payload_, value);
  }
  void finish() {
    if (open_) edits_.erase(open_begin_, previous_end_);
  }

 private:
  Edits& edits_;
  std::string_view payload_;
  bool kept_before_ = false;
  bool open_ = false;
  std::size_t open_begin_ = 0;
  std::size_t previous_end_ = 0;
};

}  // namespace

std::optional<ReplyValues> edit_reply(const Method& method, std::string_view payload,
                                      json::Value root, const ReplyOrigin& origin, Edits& edits) {
  if (!root.is(json::Type::object)) return std::nullopt;
  const auto d = root.find("d");
  if (!d || !d->is(json::Type::array)) return std::nullopt;

  ReplyValues values;
  NullEraser nulls(edits, payload);
  for (const json::Value value : d->elements()) {
    nulls.see(value);
    if (value.is(json::Type::null)) continue;
    ++values.count;
    edit_value(method.reply_edit, payload, value, origin, edits);
  }
  nulls.finish();
  return values;
}

bool valid_error(json::Value root) {
  if (!root.is(json::Type::object)) return false;
  const auto d = root.find("d");
  if (!d || !d->is(json::Type::object)) return false;
  const auto name = d->find("name");
  const auto message = d->find("message");
  return name && name->is(json::Type::string) && message && message->is(json::Type::string);
}

}  // namespace router
