import { render } from "preact";
import { App } from "./App";
import { tokenOf, useToken } from "./api";
import { hearKey } from "./keys";
import { begin, complain } from "./state";
import "./styles.css";

useToken(tokenOf(location, history));
render(<App />, document.getElementById("viewer") as HTMLElement);
addEventListener("keydown", hearKey);
begin().catch(complain);
