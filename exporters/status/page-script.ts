/**
 * What keeps the open page true: a small script, one constant text, so that the content security policy
 * can name it by its hash. It puts the sections the server rendered (and escaped) into their places.
 * When nothing is heard for too long, by a broken stream or a silent one (a machine without power sends
 * no goodbye), it says in big words that what is shown is old. Without the script the page reloads.
 */
import type { SectionName } from './page.ts';

/** One `view` event of the stream: the sections that changed, and the title of the page. */
export interface ViewEvent {
  readonly title: string;
  /** When the picture was made, for the words on an old page. */
  readonly time: string;
  readonly sections: Readonly<Partial<Record<SectionName, string>>>;
}

/** The server says something at least this often, if only a beat. */
export const BEAT_MS = 5_000;
/** Silence after which the page calls itself old: two beats and a slow network. */
export const SILENCE_MS = 12_000;
const RETRY_MS = 3_000;

export const PAGE_SCRIPT: string = `
'use strict';
(function(){
var heard=performance.now(),time=document.body.getAttribute('data-time'),title=document.title,lost=false,stream=null,opened=0;
function place(name){return document.getElementById(name);}
function words(ms){var s=Math.round(ms/1000);return s<120?s+' s':s<7200?Math.floor(s/60)+' min':Math.floor(s/3600)+' h';}
function alarm(){
  var silent=performance.now()-heard,old=lost||silent>${SILENCE_MS};
  var box=place('lost');
  if(old){
    if(!box.firstChild){
      var p=document.createElement('p');p.appendChild(document.createElement('b'));
      p.appendChild(document.createElement('span'));box.appendChild(p);
    }
    box.firstChild.firstChild.textContent='OLD: this page gets no news from the agent';
    box.firstChild.lastChild.textContent='What it shows is from '+time+', '+words(silent)+' ago, and may be wrong. It tries again by itself; if this stays, look at the machine.';
    document.title='OLD: '+title;
  }else{
    box.textContent='';
    document.title=title;
  }
  document.body.classList.toggle('old',old||place('old').firstElementChild!==null);
}
function show(event){
  var news=JSON.parse(event.data);
  title=news.title;time=news.time;
  for(var name in news.sections){var at=place(name);if(at)at.innerHTML=news.sections[name];}
  beat();
}
function beat(){heard=performance.now();lost=false;alarm();}
function open(){
  opened=performance.now();
  stream=new EventSource('/events');
  stream.addEventListener('view',show);
  stream.addEventListener('beat',beat);
  stream.onerror=function(){lost=true;alarm();};
}
open();
setInterval(function(){
  alarm();
  var now=performance.now();
  if((stream.readyState===2||now-heard>${SILENCE_MS})&&now-opened>${RETRY_MS}){stream.close();open();}
},1000);
})();
`;
