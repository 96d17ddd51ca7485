#include "fast/error_payload.hpp"

#include <charconv>

namespace fast {
namespace {

void append_meta(std::string& out, std::string_view rpc, std::int64_t uts) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, uts).ptr;
  out += "{\"m\":{\"uts\":";
  out.append(text, end);
  out += ",\"name\":";
  if (rpc.empty())
    out += "null";
  else
    append_json_string(out, rpc);
  out += "},\"d\":";
}

void append_escape(std::string& out, unsigned char byte) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, plain, i - plain);
    append_escape(out, byte);
    plain = i + 1;
  }
  out.append(text, plain);
  out += '"';
}

void append_error_payload(std::string& out, std::string_view rpc, std::int64_t uts,
                          const Error& error) {
  append_meta(out, rpc, uts);
  out += "{\"name\":";
  append_json_string(out, error.name);
  out += ",\"message\":";
  append_json_string(out, error.message);
  out += ",\"context\":";
  out += error.context;
  out += ",\"info\":";
  out += error.info;
  if (!error.ase_errors.empty()) {
    out += ",\"ase_errors\":";
    out += error.ase_errors;
  }
  out += "}}";
}

void append_values_payload(std::string& out, std::string_view rpc, std::int64_t uts,
                           std::string_view elements) {
  append_meta(out, rpc, uts);
  out += '[';
  out += elements;
  out += "]}";
}

}  // namespace fast
